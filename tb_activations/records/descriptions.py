"""One run that is described more than once, because its steps do not all show the same layers.

An eager model may leave layers out, sequence lengths may vary, parts may be frozen or unfrozen between two `fit` calls.
The rows of a run only grow, so that its values stay comparable from the first step to the last.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.records.specs import LayerSpec, RunSpec, WeightSpec
from tb_activations.records.step_record import StepRecord

Number = TypeVar("Number", bound=np.generic)


@dataclasses.dataclass(frozen=True, eq=False)
class Places:
    """The row in `old` of each row of the description `new`, -1 for those that `old` does not have."""

    old: RunSpec
    new: RunSpec

    @functools.cached_property
    def layers(self) -> NDArray[np.int64]:
        """`[layers]`."""
        rows = {layer.name: row for row, layer in enumerate(self.old.layers)}
        return np.array([rows.get(layer.name, -1) for layer in self.new.layers], np.int64)

    @functools.cached_property
    def weights(self) -> NDArray[np.int64]:
        """`[weights]`."""
        rows = {weight.name: row for row, weight in enumerate(self.old.weights)}
        return np.array([rows.get(weight.name, -1) for weight in self.new.weights], np.int64)

    @functools.cached_property
    def units(self) -> NDArray[np.int64]:
        """`[units of all tracked layers]`; units of a layer whose number of units changed have no place."""
        starts = np.cumsum([0, *(layer.units for layer in self.old.layers)])
        units = [np.zeros(0, np.int64)]
        for row, layer in zip(self.layers, self.new.layers, strict=True):
            is_kept = row >= 0 and self.old.layers[row].units == layer.units
            units.append(starts[row] + np.arange(layer.units) if is_kept else np.full(layer.units, -1))
        return np.concatenate(units)


def is_same_model(one: RunSpec, other: RunSpec) -> bool:
    """Whether both describe the same layers, so that a training of one may continue the history of the other.

    Single calls of a layer may differ, and so may layers without statistics.
    """
    units, others = _whole_layers(one), _whole_layers(other)
    return units.keys() == others.keys() and all(
        units[name] == others[name] or not units[name] or not others[name] for name in units
    )


def joined(known: RunSpec, seen: RunSpec, *, is_new_training: bool) -> RunSpec:
    """The description `known` of a run with what a step showed that alone would be described by `seen`.

    Layers and weights that the step left out stay. Within a training a layer that was trained once counts as trained.
    """
    layers = {layer.name: layer for layer in known.layers}
    new = {layer.name: _joined_layer(layers.get(layer.name), layer, is_new_training) for layer in seen.layers}
    weights = {weight.name: weight for weight in known.weights}
    handed = {weight.name: _joined_weight(weights.get(weight.name), weight, is_new_training) for weight in seen.weights}
    # A layer that is called for the first time goes where it was called.
    settled = [name for name, layer in layers.items() if not layer.not_observed or new.get(name, layer).not_observed]
    return dataclasses.replace(
        seen,
        layers=tuple((layers | new)[name] for name in _in_order(settled, new)),
        weights=tuple((weights | handed)[name] for name in _in_order(list(weights), handed)),
    )


def moved(values: NDArray[Number], to: NDArray[np.int64], missing: Any, axis: int = 0) -> NDArray[Number]:
    """`values` taken from these places along `axis`, `missing` where there is none (-1)."""
    length = values.shape[axis]
    if len(to) == length and np.array_equal(to, np.arange(length)):
        return values
    result = np.full((*values.shape[:axis], len(to), *values.shape[axis + 1 :]), missing, values.dtype)
    # Views: writing into one changes the result.
    np.moveaxis(result, axis, 0)[to >= 0] = np.moveaxis(values, axis, 0)[to[to >= 0]]
    return result


def in_rows(record: StepRecord, at: Places) -> StepRecord:
    """The record of a step with its rows at these places, NaN in those that are new.

    A record stored without weights stays without.
    """
    is_stored_without = not len(record.weights) and bool((at.weights >= 0).any())
    return dataclasses.replace(
        record,
        layers=moved(record.layers, at.layers, np.nan),
        weights=record.weights if is_stored_without else moved(record.weights, at.weights, np.nan),
        unit_activity=moved(record.unit_activity, at.units, np.nan),
        unit_peak=moved(record.unit_peak, at.units, np.nan),
    )


def _whole_layers(spec: RunSpec) -> dict[str, int]:
    return {layer.name: layer.units for layer in spec.layers if not layer.call_site}


def _joined_layer(known: LayerSpec | None, seen: LayerSpec, is_new_training: bool) -> LayerSpec:
    if known is None:
        return seen
    trainable = seen.trainable or (known.trainable and not is_new_training)
    if seen.not_observed and not known.not_observed:
        return dataclasses.replace(known, parameters=seen.parameters, trainable=trainable)
    if known.not_observed:
        return dataclasses.replace(seen, trainable=trainable)
    return dataclasses.replace(
        seen,
        output_shape=_common_shape(known.output_shape, seen.output_shape),
        # An axis whose length varies has no units.
        units=seen.units if seen.units == known.units else 0,
        inputs=tuple(dict.fromkeys([*known.inputs, *seen.inputs])),
        is_gate=known.is_gate or seen.is_gate,
        is_output=known.is_output or seen.is_output,
        trainable=trainable,
    )


def _joined_weight(known: WeightSpec | None, seen: WeightSpec, is_new_training: bool) -> WeightSpec:
    if known is None or is_new_training:
        return seen
    return dataclasses.replace(seen, has_gradient=known.has_gradient or seen.has_gradient)


def _common_shape(one: tuple[int | None, ...], other: tuple[int | None, ...]) -> tuple[int | None, ...]:
    if len(one) != len(other):
        return ()
    return tuple(size if size == another else None for size, another in zip(one, other, strict=True))


def _in_order(known: Sequence[str], seen: Iterable[str]) -> list[str]:
    """The known ones in their order, each new one after the one that it was seen after."""
    order, place = list(known), 0
    for name in seen:
        if name in order:
            place = order.index(name) + 1
        else:
            order.insert(place, name)
            place += 1
    return order
