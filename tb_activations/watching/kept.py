"""The first samples of the first observed batch, where the user gave none to look at."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from tb_activations.capture import taps
from tb_activations.watching.settings import Samples

MOST = 32
"""Samples kept."""
_PREFIX = "sample/"
_LOG_PREFIX = "layer_health/"
"""An observed step keeps what stands under it in the logs of a `train_step`."""


class KeptSamples:
    """Lets an observed step hand out the first samples of its batch, beside its figures."""

    def __init__(self) -> None:
        self._structure: Any = None

    @contextlib.contextmanager
    def in_steps_of(self, model: keras.Model) -> Iterator[None]:
        """Steps made of the model's `train_step` within the block hand out samples among their logs.

        With several replicas, or inputs that are no dense tensors, they hand out none.
        """
        train_step: Callable[[Any], dict[str, Any]] = model.train_step

        @functools.wraps(train_step)
        def with_samples(data: Any) -> dict[str, Any]:
            logs = train_step(data)
            return dict(logs) | {_LOG_PREFIX + name: part for name, part in self._first(data).items()}

        with taps.installed([taps.Tap(model, "train_step", with_samples)]):
            yield

    def _first(self, data: Any) -> dict[str, tf.Tensor]:
        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync > 1:
            return {}
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        structure = (x,) if y is None else (x, y)
        flat = keras.tree.flatten(structure)
        if not all(isinstance(part, tf.Tensor) and part.shape.rank and part.dtype != tf.string for part in flat):
            return {}
        self._structure = keras.tree.map_structure(lambda part: 0, structure)
        return {f"{_PREFIX}{place}": part[:MOST] for place, part in enumerate(flat)}

    def taken(self, packed: Mapping[str, tf.Tensor]) -> Samples | None:
        """The samples in what an observed step handed out, None if there are none."""
        places = sorted(int(name.removeprefix(_PREFIX)) for name in packed if name.startswith(_PREFIX))
        if not places or self._structure is None:
            return None
        arrays = [packed[f"{_PREFIX}{place}"].numpy() for place in places]
        return Samples(*keras.tree.pack_sequence_as(self._structure, arrays))
