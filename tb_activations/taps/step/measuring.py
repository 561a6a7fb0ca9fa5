"""The statistics of one call of a layer, computed once it is known which activation function follows."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Container, Mapping
from typing import Any

import tensorflow as tf

from tb_activations.taps.functions import calls
from tb_activations.taps.functions.between import Applied
from tb_activations.taps.functions.recognition import NAMES, Function
from tb_activations.taps.layers import has_known_activation, unit_axis
from tb_activations.taps.numbers import attention, feature_maps, gate_values, statistics, sums
from tb_activations.taps.numbers.aside import aside
from tb_activations.taps.numbers.later import Measure, items, now
from tb_activations.taps.numbers.layout import MAX_UNITS, Call
from tb_activations.taps.owners import parameters_of
from tb_activations.taps.step.attention import SeenHeads
from tb_activations.taps.step.seen import NONE, Gates, SeenCall, SeenInside, SeenPart

_EAGER_SIZES = 8
"""Tensors of an eager step whose size is remembered; each of them is kept in memory."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """The result of one call that leaves the step.

    Attributes:
        input_size: what the size of the call's input is known from: the `id` of the call whose output it is, or
            the negative place, from -1 on, among `Measuring.inputs`; None without an input.
        activation: a `statistics.Activation`, or what will be one after the step.
        maps: feature maps.
    """

    spec: Call
    activation: Any
    input_size: int | None
    maps: tf.Tensor | None


class Measuring:
    """Measures the calls of one step, in the order in which they ended.

    Attributes:
        inputs: `statistics.norm` of inputs that are not the output of a measured call.
    """

    def __init__(
        self, wanted_histograms: tf.Tensor | None, measure: Measure = now, measure_output: Measure = now
    ) -> None:
        """`measure` calls the functions that compute statistics, `measure_output` those of outputs of whole calls
        and of attention.
        """
        self._wanted = wanted_histograms
        self._measure = measure
        self._measure_output = measure_output
        self._sizes: collections.OrderedDict[Any, int] = collections.OrderedDict()
        self._gates: dict[int, list[Any]] = {}
        self.inputs: list[Any] = []

    def measure(self, call: SeenCall, applied: Applied | None, own: Function | None, *, with_maps: bool) -> Measured:
        """The statistics of a layer's output, or of the result of the activation function applied to it.

        Args:
            applied: the function that was applied to the output after the call.
            own: the function that the layer itself ends in, if it was recognized.
            with_maps: whether the first feature maps are returned too, if the output is a stack of them.
        """
        layer = call.entry.layer
        given, function = call.value, own
        axis = unit_axis(layer, given.shape.rank, has_activation=own is not None)
        if applied is not None:
            given, function, axis = applied.after, applied.function, applied.axis
        units = given.shape[axis] if axis is not None else None
        if not units or units > MAX_UNITS:
            axis, units = None, 0
        value = tf.stop_gradient(aside(given))
        name = function.name if function is not None else _trusted_name(call)
        maps = feature_maps.first_maps(value, axis) if with_maps else None
        bounds = None if function is None else function.bounds
        activation = self._measure_output(statistics.activation, value, axis, self._wanted, name, bounds)
        shape = call.value.shape
        spec = Call(
            name=call.entry.name,
            class_name=type(layer).__name__,
            number=call.number,
            # Without the batch size: a shorter last batch must not look like a different layer.
            shape=(None, *shape[1:]) if shape.rank else (),
            dtype=value.dtype.name,
            units=units,
            activation=name,
            parameters=layer.count_params() if layer.built else 0,
            trainable=bool(layer.trainable_weights),
            inputs=call.sources,
            map_shape=tuple(maps.shape) if maps is not None else (),
        )
        input_size = self._input_size(call)
        for tensor in [applied.origin] if applied is not None else [call.value, call.output]:
            self._remember(tensor, id(call))
        return Measured(spec, activation, input_size, maps)

    def measure_part(self, part: SeenPart) -> Measured:
        """The statistics of a part of a layer."""
        if isinstance(part, SeenHeads):
            return self._measure_heads(part)
        layer, value = part.entry.layer, tf.stop_gradient(aside(part.value))
        is_channels_first = getattr(layer, "data_format", None) == "channels_first" and value.shape.rank > 4
        first = 2 if part.gates is None else 3
        axis: int = first if is_channels_first else value.shape.rank - 1
        units = value.shape[axis]
        if part.gates is not None:
            measured = self._gate(*part.gates, axis)
        else:
            units = units if units and units <= MAX_UNITS else 0
            measured = self._measure(
                _activation, value, part.mask, axis if units else None, self._wanted, part.activation
            )
        spec = Call(
            name=part.name,
            class_name=part.class_name,
            number=part.number,
            shape=(None, *value.shape[1:first], *value.shape[3 if part.gates else first :]),
            dtype=value.dtype.name,
            units=units,
            activation=part.activation,
            parameters=0 if part.part else parameters_of(part.entry),
            trainable=False,
            is_gate=part.is_gate,
            part_of=part.layer,
            is_cell=part.is_cell,
        )
        return Measured(spec, measured, None, None)

    def _measure_heads(self, part: SeenHeads) -> Measured:
        logits, mask = part.logits()
        measured = self._measure_output(attention.heads, logits, mask, self._wanted)
        spec = Call(
            name=part.name,
            class_name=part.class_name,
            number=part.number,
            shape=(None, part.heads, None, logits.shape[3]),
            dtype=part.value.dtype.name,
            units=part.heads,
            activation=None,
            parameters=0,
            trainable=False,
            part_of=part.layer,
            has_heads=True,
        )
        return Measured(spec, measured, None, None)

    def _gate(self, gates: Gates, place: int, axis: int) -> Any:
        """The statistics of one of these gates; all of them are measured when the first one is asked for."""
        if id(gates) not in self._gates:
            measured = self._measure(gate_values.activations, gates.values, gates.mask, axis, gates.names, self._wanted)
            self._gates[id(gates)] = items(measured, len(gates.names))
        return self._gates[id(gates)][place]

    def measure_inside(self, seen: SeenInside) -> tuple[Measured, Any]:
        """The statistics of a call in a condition or loop, and those of its gradient."""
        whole = seen.whole_sums()
        activation = self._measure(sums.activation_of, whole, seen.units, seen.is_bounded, self._wanted)
        layer = seen.entry.layer
        spec = Call(
            name=seen.name,
            class_name=type(layer).__name__,
            number=seen.number,
            shape=(None, *seen.shape[1:]) if seen.shape.rank else (),
            dtype=seen.dtype,
            units=seen.units,
            activation=seen.activation,
            parameters=parameters_of(seen.entry),
            trainable=bool(layer.trainable_weights),
            inputs=seen.sources,
        )
        return Measured(spec, activation, None, None), self._measure(sums.gradient_of, whole, self._wanted)

    def place_of_input(self, measured: Measured, places: Mapping[int, int]) -> int | None:
        """`Call.input_place`; `places` are those of the calls by their `id`."""
        size = measured.input_size
        if size is None:
            return None
        return len(places) - 1 - size if size < 0 else places.get(size)

    def _input_size(self, call: SeenCall) -> int | None:
        if not call.inputs:
            return None
        tensor = call.inputs[0]
        for _ in range(calls.MOST_OPERATIONS):
            handed = None if tensor.ref() in self._sizes or _is_eager(tensor) else calls.passed(tensor)
            if handed is None or not handed.dtype.is_floating:
                break
            tensor = handed
        if tensor.ref() not in self._sizes:
            self.inputs.append(self._measure(statistics.norm, tf.stop_gradient(aside(tensor))))
            self._remember(tensor, -len(self.inputs))
        return self._sizes[tensor.ref()]

    def _remember(self, tensor: tf.Tensor, size: int) -> None:
        self._sizes[tensor.ref()] = size
        if _is_eager(tensor) and len(self._sizes) > _EAGER_SIZES:
            self._sizes.popitem(last=False)


def own_function(call: SeenCall, stops: frozenset[Any], taken: Container[Any]) -> Function | None:
    """The activation function that a call ended in, recognized by its values; None if the layer names a known one.

    Args:
        stops: references of the outputs of other layers.
        taken: references of the results of functions that belong to other layers.
    """
    if has_known_activation(call.entry.layer) and call.own_activation not in NONE:
        return None
    if call.is_transparent or _is_eager(call.value):
        return None
    given = frozenset(value.ref() for value in call.inputs)
    found = calls.chain(call.value, (stops - {call.value.ref()}) | given)
    return None if found.after.ref() in taken else found.function


def _activation(
    value: tf.Tensor, mask: tf.Tensor | None, axis: int | None, wanted: tf.Tensor | None, name: str | None
) -> statistics.Activation:
    """`statistics.activation` of `[batch, time, ...]` without padding."""
    return statistics.activation(*unpadded(value, mask, axis), wanted, name)


def gradient_without_padding(value: tf.Tensor, mask: tf.Tensor, wanted: tf.Tensor | None) -> statistics.Gradient:
    """`statistics.gradient` of `[batch, time, ...]` without padding."""
    return statistics.gradient(tf.boolean_mask(value, mask), wanted)


def unpadded(value: tf.Tensor, mask: tf.Tensor | None, axis: int | None) -> tuple[tf.Tensor, int | None]:
    """`[samples, ...]` where the mask `[batch, time]` is true, and the unit axis in it; as given without a mask."""
    if mask is None:
        return value, axis
    return tf.boolean_mask(value, mask), None if axis is None else axis - 1


def _trusted_name(call: SeenCall) -> str | None:
    """The layer's name for its activation; None for a name that implies behavior which its values did not confirm."""
    name, layer = call.own_activation, call.entry.layer
    is_promise = name in NAMES and not has_known_activation(layer) and not _is_eager(call.value)
    return None if is_promise and getattr(layer, "activation", None) is not None else name


def _is_eager(tensor: tf.Tensor) -> bool:
    return isinstance(tensor, tf.__internal__.EagerTensor)
