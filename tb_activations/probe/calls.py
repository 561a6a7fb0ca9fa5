"""The outputs of a model's layers, call by call, while the model runs eagerly."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_activations.taps import taps
from tb_activations.taps.layers import LayerChoice, NamedLayer, check_choice, choose_layers, find_layers

Transform = Callable[[tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class LayerCall:
    """One call: the layer, what it was called with and what it returned."""

    layer: keras.layers.Layer
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    output: Any


class Recording:
    """The calls of one pass over a model. A call inside a graph of its own is not in it: its values cannot leave."""

    def __init__(self) -> None:
        self._graph = taps.current_graph()
        self._calls: dict[str, list[LayerCall]] = {}

    def add(self, name: str, call: LayerCall) -> None:
        if taps.current_graph() is self._graph:
            self._calls.setdefault(name, []).append(call)

    def calls(self) -> dict[str, LayerCall]:
        """Calls by name in call order of the layers: "name", or "name@1", "name@2", ... of a layer called often."""
        return {
            f"{name}@{number}" if len(calls) > 1 else name: call
            for name, calls in self._calls.items()
            for number, call in enumerate(calls, 1)
        }

    def outputs(self) -> dict[str, tf.Tensor]:
        """Output tensors by the names of `calls`; parts of a structure are called "name[0]" or "name[key]"."""
        return {key: value for name, call in self.calls().items() for key, value in parts(name, call.output)}

    def owners(self) -> dict[str, keras.layers.Layer]:
        """The layer of each of `outputs`."""
        return {key: call.layer for name, call in self.calls().items() for key, _ in parts(name, call.output)}

    def missing(self, layers: LayerChoice, chosen: Sequence[NamedLayer]) -> list[str]:
        """Layers that were not seen though `layers` lists them by name; all of them if not one was seen."""
        is_listed = isinstance(layers, Sequence) and not isinstance(layers, str)
        if self._calls and not is_listed:
            return []
        return [entry.name for entry in chosen if entry.name not in self._calls]


def parts(name: str, output: Any) -> Iterator[tuple[str, tf.Tensor]]:
    """The tensors of a layer's output with their names."""
    for path, value in keras.tree.flatten_with_path(output):
        if tf.is_tensor(value):
            yield name + "".join(f"[{step}]" for step in path), value


@contextlib.contextmanager
def recorded(model: keras.Model, layers: LayerChoice = None, transform: Transform | None = None) -> Iterator[Recording]:
    """Records the calls of the chosen layers while the block runs; cells of RNNs, called in a loop, are left out.

    Each floating-point tensor that a layer puts out goes on as `transform` returns it.

    Raises:
        ValueError: `layers` names a layer that the model does not have, or, after the block, one that was not seen;
            or none at all was seen.
    """
    check_choice(layers)
    chosen = [entry for entry in choose_layers(find_layers(model), layers) if not (entry.is_cell or entry.is_container)]
    recording = Recording()
    with taps.installed([_tap(entry, recording, transform) for entry in chosen]):
        yield recording
    missing = recording.missing(layers, chosen)
    if missing:
        raise ValueError(
            f"Invalid value for argument `layers`: {', '.join(map(repr, missing))} cannot be seen. The model does not "
            "call them, or calls them inside a loop or a `tf.function` of its own, whose values cannot leave it."
        )


def _tap(entry: NamedLayer, recording: Recording, transform: Transform | None) -> taps.Tap:
    original = entry.layer.call

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        output = original(*args, **kwargs)
        if transform is not None:
            output = keras.tree.map_structure(functools.partial(_transformed, transform), output)
        recording.add(entry.name, LayerCall(entry.layer, args, kwargs, output))
        return output

    return taps.Tap(entry.layer, "call", call)


def _transformed(transform: Transform, value: Any) -> Any:
    if not isinstance(value, tf.Tensor) or not value.dtype.is_floating:
        return value
    result = transform(value)
    # A layer may mark the mask on its output within `call`.
    mask = getattr(value, "_keras_mask", None)
    if mask is not None:
        result._keras_mask = mask
    return result


def find_output(outputs: Mapping[str, tf.Tensor], name: str, argument: str) -> str:
    """The full name of the output called `name`, or of the only one whose last names are `name`.

    Raises ValueError, naming `argument`, when there is none or more than one.
    """
    fitting = [key for key in outputs if key == name] or [key for key in outputs if key.endswith(f"/{name}")]
    if len(fitting) != 1:
        what = "fits several layer outputs" if fitting else "is no layer output of the model"
        listed = ", ".join(map(repr, fitting or outputs))
        raise ValueError(f"Invalid value for argument `{argument}`: {name!r} {what}. Allowed are {listed}.")
    return fitting[0]


def to_numpy(name: str, value: Any) -> NDArray[Any]:
    """A tensor as an array; sparse ones become dense. Raises TypeError for a ragged one, naming the layer."""
    if isinstance(value, tf.RaggedTensor):
        raise TypeError(f"Layer output {name!r} is ragged and no array can hold it; leave it out with `layers`.")
    if isinstance(value, tf.SparseTensor):
        value = tf.sparse.to_dense(value)
    return np.asarray(value.numpy())
