"""The calls of a model's layers, recorded under one naming for `capture` and `probe`."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

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


class LayerCalls:
    """The calls of the chosen layers, in the order in which each layer was first called.

    Calls inside another graph (a loop, a condition, another `tf.function`, or while Keras infers shapes) are not
    recorded: their tensors cannot be used outside that graph.

    Args:
        chosen: layers whose calls to record.
    """

    def __init__(self, chosen: Sequence[NamedLayer]) -> None:
        self._chosen = chosen
        self._graph = taps.current_graph()
        self._calls: dict[str, list[LayerCall]] = {}

    def add(self, name: str, call: LayerCall) -> None:
        if taps.current_graph() is self._graph:
            self._calls.setdefault(name, []).append(call)

    def by_name(self) -> dict[str, LayerCall]:
        """Every call by name.

        "name" is the last call of a layer. A layer called more than once also has "name@1", "name@2", ...
        """
        named: dict[str, LayerCall] = {}
        for name, calls in self._calls.items():
            named[name] = calls[-1]
            if len(calls) > 1:
                named |= {f"{name}@{number}": call for number, call in enumerate(calls, 1)}
        return named

    def first_calls(self) -> dict[str, LayerCall]:
        """The first call of every layer by the layer's name."""
        return {name: calls[0] for name, calls in self._calls.items()}

    def missing(self, layers: LayerChoice) -> list[str]:
        """Layers that `layers` lists by name and that were not called; every chosen layer if none was called."""
        is_listed = isinstance(layers, Sequence) and not isinstance(layers, str)
        if self._calls and not is_listed:
            return []
        return [entry.name for entry in self._chosen if entry.name not in self._calls]


@contextlib.contextmanager
def recorded_calls(
    model: keras.Model, layers: LayerChoice = None, transform: Transform | None = None
) -> Iterator[LayerCalls]:
    """Records the calls of the chosen layers while the block runs. RNN cells are left out.

    `transform` replaces each floating-point tensor that a layer returns.

    Raises:
        TypeError, ValueError: `layers` is invalid or names a layer that the model does not have.
    """
    check_choice(layers)
    # A cell is called once per timestep inside a loop: an eager run would record every call, a graph none.
    chosen = [entry for entry in choose_layers(find_layers(model), layers) if not (entry.is_cell or entry.is_container)]
    calls = LayerCalls(chosen)
    with taps.installed([_tap(entry, calls, transform) for entry in chosen]):
        yield calls


def _tap(entry: NamedLayer, calls: LayerCalls, transform: Transform | None) -> taps.Tap:
    original = entry.layer.call

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        output = original(*args, **kwargs)
        if transform is not None:
            output = keras.tree.map_structure(functools.partial(_transformed, transform), output)
        calls.add(entry.name, LayerCall(entry.layer, args, kwargs, output))
        return output

    return taps.Tap(entry.layer, "call", call)


def _transformed(transform: Transform, value: Any) -> Any:
    if not isinstance(value, tf.Tensor) or not value.dtype.is_floating:
        return value
    result = transform(value)
    # A layer may have set a mask on its output within `call`; the replacement must carry it too.
    mask = getattr(value, "_keras_mask", None)
    if mask is not None:
        result._keras_mask = mask
    return result
