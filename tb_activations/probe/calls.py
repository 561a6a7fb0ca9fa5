"""Outputs of a model's layers while the model runs eagerly, call by call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_activations.records.arguments import invalid
from tb_activations.taps.layer_calls import LayerCall, LayerCalls, Transform, recorded_calls
from tb_activations.taps.layers import LayerChoice


@contextlib.contextmanager
def recorded(
    model: keras.Model, layers: LayerChoice = None, transform: Transform | None = None
) -> Iterator[LayerCalls]:
    """As `recorded_calls`, but every layer that `layers` names must have been called when the block ends.

    Raises:
        ValueError: `layers` names a layer that the model does not have, or one without a recorded call; or no call was
            recorded at all.
    """
    with recorded_calls(model, layers, transform) as calls:
        yield calls
    missing = calls.missing(layers)
    if missing:
        raise invalid(
            "layers",
            f"{', '.join(map(repr, missing))} cannot be observed. The model does not call them, or calls them "
            "inside a loop or a `tf.function`, whose values are not accessible",
        )


def outputs(calls: Mapping[str, LayerCall]) -> dict[str, tf.Tensor]:
    """Output tensors by the names of `calls`; parts of a structure are called "name[0]" or "name[key]"."""
    return {key: value for name, call in calls.items() for key, value in parts(name, call.output)}


def owners(calls: Mapping[str, LayerCall]) -> dict[str, keras.layers.Layer]:
    """The layer of each of `outputs`."""
    return {key: call.layer for name, call in calls.items() for key, _ in parts(name, call.output)}


def parts(name: str, output: Any) -> Iterator[tuple[str, tf.Tensor]]:
    """The tensors of a layer's output with their names."""
    for path, value in keras.tree.flatten_with_path(output):
        if tf.is_tensor(value):
            yield name + "".join(f"[{step}]" for step in path), value


def find_output(names: Iterable[str], name: str, argument: str) -> str:
    """The full name of the output called `name`, or of the only one whose path ends with `name`.

    Raises:
        ValueError: none or more than one fits; the message names `argument`.
    """
    names = list(names)
    fitting = [key for key in names if key == name] or [key for key in names if key.endswith(f"/{name}")]
    if len(fitting) != 1:
        problem = "matches several layer outputs" if fitting else "is not a layer output of the model"
        listed = ", ".join(map(repr, fitting or names))
        raise invalid(argument, f"{name!r} {problem}", listed)
    return fitting[0]


def to_numpy(name: str, value: Any) -> NDArray[Any]:
    """A tensor as an array; sparse tensors become dense. Raises TypeError for a ragged one, naming the layer."""
    if isinstance(value, tf.RaggedTensor):
        raise TypeError(f"Layer output {name!r} is ragged and does not fit an array; leave it out with `layers`.")
    if isinstance(value, tf.SparseTensor):
        value = tf.sparse.to_dense(value)
    return np.asarray(value.numpy())
