"""The loop of a recurrent layer: values of its cells and gates at every time step, and the gradients at them.

Values leave the loop as further outputs of each time step. Gradients leave it through zeros that are further inputs of
each time step: the gradient at such a zero, added to the output of a cell, is the gradient at that output.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tb_activations.taps import taps
from tb_activations.taps.layers import NamedLayer, activation_name
from tb_activations.taps.numbers.samples import SAMPLED
from tb_activations.taps.step import gates_again
from tb_activations.taps.step.gates import Gate, SeeGate, gate_taps
from tb_activations.taps.step.hooks import LoopCall
from tb_activations.taps.step.seen import Gates, SeenPart

_BITS = {2: tf.int16, 4: tf.int32, 8: tf.int64}
"""Integers by the size of floating-point numbers in bytes."""
_USUAL_LENGTH = 128
"""Time steps of a sequence whose length is unknown."""
_USUAL_GATES = 4
"""Gates that share one sample."""


class WithZeros(NamedTuple):
    """The inputs of a loop, `[batch, time, ...]`, and a zero for each output of each cell."""

    inputs: Any
    zeros: tuple[tf.Tensor, ...]

    @property
    def shape(self) -> tf.TensorShape:
        """That of the inputs, which Keras asks for."""
        return self.inputs.shape


@dataclasses.dataclass(frozen=True)
class _Value:
    """What leaves a time step: the output of a cell or of a layer in it, or the gates of a cell together."""

    entry: NamedLayer
    dtype: tf.DType
    gates: tuple[Gate, ...] = ()


class Loop:
    """One run of the loop of a recurrent layer.

    Args:
        layer: the recurrent layer.
        name: its name, "" if it is not observed.
        cells: its observed cells, each with the states that belong to it.
        call: what Keras passes to the loop.
    """

    def __init__(
        self, layer: keras.layers.RNN, name: str, cells: Sequence[tuple[NamedLayer, Any]], call: LoopCall
    ) -> None:
        self._layer = name
        self._call = call
        self._cells = {id(entry.layer): entry for entry, _ in cells}
        self._states = {id(entry.layer): states for entry, states in cells}
        is_masked, stacked = call.options.get("mask") is not None, stacked_cells(layer)
        # What a cell of a stack is given is known only if the cell before is observed.
        self._given = {
            id(entry.layer): None if entry.layer is stacked[0] else id(stacked[stacked.index(entry.layer) - 1])
            for entry, _ in cells
        }
        self._gated_later = {
            id(entry.layer)
            for entry, _ in cells
            if gates_again.is_possible(entry.layer, layer, is_masked=is_masked)
            and (self._given[id(entry.layer)] is None or self._given[id(entry.layer)] in self._cells)
        }
        self._zeros = _zeros(cells, call) if call.tapes else {}
        self._graph: Any = None
        self._at_step: dict[int, tf.Tensor] = {}
        self._kinds: list[_Value] = []
        self._values: list[tf.Tensor] = []
        self._gates: dict[int, list[tuple[Gate, tf.Tensor]]] = {}

    def is_here(self) -> bool:
        """Whether values computed now belong to a time step of this loop."""
        return taps.current_graph() is self._graph

    def see(self, entry: NamedLayer, outputs: Any) -> Any:
        """Records what a cell, or a layer inside one, returns at a time step; returns what to use instead."""
        value = next((value for value in keras.tree.flatten(outputs) if _is_float(value)), None)
        if value is None:
            return outputs
        zero = self._at_step.pop(id(entry.layer), None)
        seen = value
        if zero is not None and zero.shape.is_compatible_with(value.shape) and zero.dtype == value.dtype:
            seen = value + zero
        self._pack_gates(entry)
        self._add(_Value(entry, value.dtype), value)
        # The first state is usually the output itself.
        return keras.tree.map_structure(lambda one: seen if one is value else one, outputs)

    def run(self, original: Any) -> tuple[Any, list[SeenPart]]:
        """What Keras' loop returns, and the parts that were seen in it."""
        result, sequences = self._unrolled(original) if self._call.options.get("unroll") else self._rolled(original)
        mask, outputs = self._mask(), {}
        parts: list[SeenPart] = []
        for kind, bits in zip(self._kinds, sequences, strict=True):
            value = tf.bitcast(bits, kind.dtype)
            if kind.gates:
                parts += self._of_gates(kind, self._first_samples(value, value[:, 0, 0]), mask)
                continue
            outputs[id(kind.entry.layer)] = value
            if id(kind.entry.layer) in self._gated_later:
                parts += self._of_gates(*self._gates_after(kind.entry, outputs), mask)
            parts.append(self._of_layer(kind.entry, value, mask))
        return result, parts

    def _gates_after(self, entry: NamedLayer, outputs: Mapping[int, tf.Tensor]) -> tuple[_Value, tf.Tensor]:
        """The gates of a cell, computed again from `[batch, time, ...]` outputs by cell."""
        key, call = id(entry.layer), self._call
        before = self._given[key]
        inputs = outputs[before] if before is not None else self._in_order(call.inputs)
        wanted = self._wanted_rows(outputs[key][:, 0])
        gates = gates_again.computed(entry.layer, inputs[:wanted], outputs[key][:wanted], self._states[key], call.tapes)
        kinds, values = zip(*gates, strict=True)
        return _Value(entry, values[0].dtype, kinds), tf.stack(values, 2)

    def _in_order(self, sequence: tf.Tensor) -> tf.Tensor:
        """A sequence `[batch, time, ...]` in the order in which the loop runs."""
        return tf.reverse(sequence, [1]) if self._call.options.get("go_backwards") else sequence

    def _rolled(self, original: Any) -> tuple[Any, Sequence[tf.Tensor]]:
        call, order = self._call, list(self._zeros)

        def step(given: Any, states: Any) -> tuple[Any, Any]:
            zeros = dict(zip(order, given.zeros, strict=True)) if order else {}
            with self._time_step(zeros):
                output, new_states = call.step(given.inputs if order else given, states)
            return (output, tuple(self._values)), new_states

        zeros = list(self._zeros.values())
        if call.options.get("go_backwards"):
            # Keras reverses all inputs; the gradients are wanted in the order in which the loop runs.
            zeros = [tf.reverse(zero, [1]) for zero in zeros]
        inputs = WithZeros(call.inputs, tuple(zeros)) if order else call.inputs
        # The values are those of all time steps, whatever the layer returns.
        options = {**call.options, "return_all_outputs": True}
        (last, _), (outputs, sequences), states = original(step, inputs, call.states, **options)
        if not call.options.get("return_all_outputs", True):
            outputs = keras.tree.map_structure(lambda one: one[:, -1:], outputs)
        return (last, outputs, states), sequences

    def _unrolled(self, original: Any) -> tuple[Any, Sequence[tf.Tensor]]:
        call = self._call
        zeros = {key: iter(tf.unstack(zero, axis=1)) for key, zero in self._zeros.items()}
        kept: list[list[tf.Tensor]] = []

        def step(given: Any, states: Any) -> tuple[Any, Any]:
            with self._time_step({key: next(steps) for key, steps in zeros.items()}):
                result = call.step(given, states)
            kept.append(list(self._values))
            return result

        result = original(step, call.inputs, call.states, **call.options)
        return result, [tf.stack(steps, axis=1) for steps in zip(*kept, strict=True)]

    @contextlib.contextmanager
    def _time_step(self, zeros: dict[int, tf.Tensor]) -> Iterator[None]:
        self._graph, self._at_step = taps.current_graph(), zeros
        self._kinds, self._values, self._gates = [], [], {}
        gated = [entry for key, entry in self._cells.items() if key not in self._gated_later]
        with taps.installed(tap for entry in gated for tap in gate_taps(entry.layer, self._see_gate(entry))):
            yield

    def _see_gate(self, entry: NamedLayer) -> SeeGate:
        def see(gate: Gate, value: tf.Tensor) -> None:
            if self.is_here():
                # A masked loop selects between the values of two time steps, for all samples at once.
                is_masked = self._call.options.get("mask") is not None
                kept = value if is_masked else self._first_samples(value, value)
                self._gates.setdefault(id(entry.layer), []).append((gate, kept))

        return see

    def _first_samples(self, values: tf.Tensor, gate: tf.Tensor) -> tf.Tensor:
        """As many samples of these values as are kept of this gate."""
        wanted = self._wanted_rows(gate)
        return values[:wanted] if values.shape[0] is None or values.shape[0] > wanted else values

    def _wanted_rows(self, value: tf.Tensor) -> int:
        """How many samples of a gate are kept: statistics of more would come from a sample of them anyway."""
        each = (self._call.inputs.shape[1] or _USUAL_LENGTH) * (value.shape[1:].num_elements() or 1)
        return max(SAMPLED // (_USUAL_GATES * each), 1)

    def _pack_gates(self, entry: NamedLayer) -> None:
        gates = self._gates.pop(id(entry.layer), [])
        if gates:
            kinds, values = zip(*gates, strict=True)
            self._add(_Value(entry, values[0].dtype, kinds), tf.stack(values, 1))

    def _add(self, kind: _Value, value: tf.Tensor) -> None:
        self._kinds.append(kind)
        # Integers have no gradient, which TensorFlow would otherwise carry through the loop as zeros.
        self._values.append(tf.bitcast(value, _BITS[value.dtype.size]))

    def _around(self, entry: NamedLayer) -> str:
        """Name of the cell that calls the layer."""
        names = [cell.name for cell in self._cells.values() if entry.name.startswith(f"{cell.name}/")]
        return max(names, key=len, default=self._layer)

    def _activation(self, layer: keras.layers.Layer) -> str | None:
        """The function that an output ends in; that of a cell with gates is a product."""
        is_plain = id(layer) not in self._cells or isinstance(layer, keras.layers.SimpleRNNCell)
        return activation_name(layer) if is_plain else None

    def _mask(self) -> tf.Tensor | None:
        """`[batch, time]` in the order in which the loop runs."""
        mask = self._call.options.get("mask")
        if mask is None:
            return None
        mask = tf.cast(mask, tf.bool)
        mask = tf.reshape(mask, tf.shape(mask)[:2]) if mask.shape.rank != 2 else mask
        return self._in_order(mask)

    def _of_layer(self, entry: NamedLayer, value: tf.Tensor, mask: tf.Tensor | None) -> SeenPart:
        layer = entry.layer
        is_cell = id(layer) in self._cells
        zero = self._zeros.get(id(layer))
        return SeenPart(
            entry=entry,
            value=value,
            models=frozenset(),
            points=() if zero is None else (zero,),
            layer=self._layer if is_cell else self._around(entry),
            part="",
            class_name=type(layer).__name__,
            activation=self._activation(layer),
            is_gate=False,
            mask=mask,
            is_cell=is_cell,
        )

    def _of_gates(self, kind: _Value, values: tf.Tensor, mask: tf.Tensor | None) -> list[SeenPart]:
        mask = mask if mask is None else mask[: tf.shape(values)[0]]
        gates = Gates(values, mask, tuple(gate.activation or "" for gate in kind.gates))
        return [
            SeenPart(
                entry=kind.entry,
                value=values,
                models=frozenset(),
                layer=kind.entry.name,
                part=gate.name,
                class_name=gate.class_name,
                activation=gate.activation,
                is_gate=gate.is_switch,
                gates=(gates, place),
            )
            for place, gate in enumerate(kind.gates)
        ]


def cells_of(layer: keras.layers.RNN, states: Any) -> list[tuple[keras.layers.Layer, Any]]:
    """The cells of a recurrent layer, each with its part of the layer's states."""
    stacked = stacked_cells(layer)
    return list(zip(stacked, states, strict=True)) if len(stacked) > 1 else [(stacked[0], states)]


def stacked_cells(layer: keras.layers.RNN) -> list[keras.layers.Layer]:
    """The cells that run one after the other at each time step; usually one."""
    return list(layer.cell.cells) if isinstance(layer.cell, keras.layers.StackedRNNCells) else [layer.cell]


def _zeros(cells: Sequence[tuple[NamedLayer, Any]], call: LoopCall) -> dict[int, tf.Tensor]:
    """`[batch, time, ...]` zeros for each cell, watched by the tapes. A cell's first state has its output's shape."""
    leading = call.inputs.shape[:2]
    dynamic = tf.shape(call.inputs)
    found = {}
    for entry, states in cells:
        state = keras.tree.flatten(states)[0]
        shape = [*(dynamic[axis] if leading[axis] is None else leading[axis] for axis in range(2)), *state.shape[1:]]
        zeros = tf.zeros(shape, state.dtype)
        for tape in call.tapes:
            tape.watch(zeros)
        found[id(entry.layer)] = zeros
    return found


def _is_float(value: Any) -> bool:
    return isinstance(value, tf.Tensor) and value.dtype.is_floating
