"""The gates of Keras' recurrent cells: what the activation functions return while a cell is called."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tb_activations.taps import taps


class Gate(NamedTuple):
    """A gate of a cell, or the candidate that it lets through.

    Attributes:
        name: of the gate.
        is_switch: whether other values are multiplied by it; false for the candidate.
        activation: name of its function; None if it has none.
    """

    name: str
    is_switch: bool
    activation: str | None

    @property
    def class_name(self) -> str:
        """What it is."""
        return "Gate" if self.is_switch else "Candidate"


_SWITCHES = "recurrent_activation"
_CANDIDATE = "activation"
_LSTM = {_SWITCHES: ("input_gate", "forget_gate", "output_gate"), _CANDIDATE: ("candidate",)}
_GRU = {_SWITCHES: ("update_gate", "reset_gate"), _CANDIDATE: ("candidate",)}
"""The names of a cell's gates, in the order in which it computes them, by the attribute that holds their function."""

SeeGate = Callable[[Gate, tf.Tensor], None]


def gate_taps(cell: keras.layers.Layer, see: SeeGate) -> Iterator[taps.Tap]:
    """Taps that show the gates of one call of the cell; none for a cell that computes them in its own way."""
    for attribute, names in _gates(cell).items():
        function = getattr(cell, attribute)
        if callable(function):
            yield taps.Tap(cell, attribute, _shown(function, attribute == _SWITCHES, names, see))


def _gates(cell: keras.layers.Layer) -> dict[str, tuple[str, ...]]:
    call = getattr(type(cell), "call", None)
    # A subclass with a `call` of its own may use the functions in another order.
    if isinstance(cell, keras.layers.LSTMCell) and call is keras.layers.LSTMCell.call:
        return _LSTM
    if isinstance(cell, keras.layers.GRUCell) and call is keras.layers.GRUCell.call:
        return _GRU
    is_convolution = type(cell).__name__ == "ConvLSTMCell" and type(cell).__module__.startswith("keras.")
    return _LSTM if is_convolution else {}


def _shown(function: Callable[..., Any], is_switch: bool, names: tuple[str, ...], see: SeeGate) -> Callable[..., Any]:
    activation = getattr(function, "__name__", None)
    numbers = itertools.count()

    @functools.wraps(function)
    def shown(*args: Any, **kwargs: Any) -> Any:
        value = function(*args, **kwargs)
        number = next(numbers)
        if number < len(names) and isinstance(value, tf.Tensor):
            see(Gate(names[number], is_switch, None if activation == "linear" else activation), value)
        return value

    return shown
