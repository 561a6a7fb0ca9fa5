"""Pairs the rows of one run with the rows of another."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tb_activations.records.specs import LayerSpec, RunSpec, WeightSpec

_COMPARED = ("class_name", "call_site", "output_shape", "dtype", "units", "activation", "parameters", "trainable")


@dataclasses.dataclass(frozen=True)
class Mismatch:
    """Why two runs cannot be compared: a property, its two values, and the layer it belongs to."""

    what: str
    expected: object
    actual: object
    layer: str | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Pairing:
    """Rows of the actual run in the order of the expected one.

    Attributes:
        layers: for each layer of the expected run its row in the actual one.
        weights: the same for the weights.
        units: for each tracked unit of the expected run its position in the unit vectors of the actual one.
        unit_starts: for each layer of the expected run the start of its units in the unit vectors.
        names: maps names in the actual run to names in the expected one.
    """

    layers: list[int]
    weights: list[int]
    units: NDArray[np.int64]
    unit_starts: NDArray[np.int64]
    names: Mapping[str, str]


def pair(expected: RunSpec, actual: RunSpec) -> Pairing | Mismatch:
    """The rows that match, or the first reason why they do not.

    Layers match by name, or by position if the names differ but the sequence of classes and output shapes is the same.
    Weights match by layer and by their own name.
    """
    rows = _layer_rows(expected.layers, actual.layers)
    if isinstance(rows, Mismatch):
        return rows
    others = [actual.layers[row] for row in rows]
    for layer, other in zip(expected.layers, others, strict=True):
        for name in _COMPARED:
            values = getattr(layer, name), getattr(other, name)
            if values[0] != values[1]:
                return Mismatch(name, *values, layer=layer.name)
    names = {other.name: layer.name for layer, other in zip(expected.layers, others, strict=True)}
    weights = _weight_rows(expected.weights, actual.weights, names)
    if isinstance(weights, Mismatch):
        return weights
    units = [np.arange(actual.unit_count)[actual.unit_slice(row)] for row in rows]
    starts = [expected.unit_slice(index).start for index in range(len(expected.layers))]
    return Pairing(
        layers=rows,
        weights=weights,
        units=np.concatenate([np.empty(0, np.int64), *units]),
        unit_starts=np.array(starts, np.int64),
        names=names,
    )


def presence(item: object, side: Container[object]) -> str:
    """Either "present" or "absent": whether `item` is on this side."""
    return "present" if item in side else "absent"


def _layer_rows(expected: Sequence[LayerSpec], actual: Sequence[LayerSpec]) -> list[int] | Mismatch:
    rows = {layer.name: row for row, layer in enumerate(actual)}
    names = [layer.name for layer in expected]
    if set(names) == set(rows) and len(names) == len(actual):
        return [rows[name] for name in names]
    if [_kind(layer) for layer in expected] == [_kind(layer) for layer in actual]:
        return list(range(len(actual)))
    for name in [*names, *rows]:
        if (name in names) != (name in rows):
            return Mismatch("layer", presence(name, names), presence(name, rows), layer=name)
    return Mismatch("number of layers", len(expected), len(actual))


def _kind(layer: LayerSpec) -> tuple[object, ...]:
    return layer.class_name, layer.output_shape


def _weight_rows(
    expected: Sequence[WeightSpec], actual: Sequence[WeightSpec], names: Mapping[str, str]
) -> list[int] | Mismatch:
    rows = {_weight_name(weight, names.get(weight.layer, weight.layer)): row for row, weight in enumerate(actual)}
    wanted = [_weight_name(weight, weight.layer) for weight in expected]
    for key in [*wanted, *rows]:
        if (key in wanted) != (key in rows):
            return Mismatch(f"weight {key[1]}", presence(key, wanted), presence(key, rows), layer=key[0] or None)
    paired = [rows[key] for key in wanted]
    for weight, row in zip(expected, paired, strict=True):
        if weight.shape != actual[row].shape:
            return Mismatch(f"shape of {weight.name}", weight.shape, actual[row].shape, layer=weight.layer or None)
    return paired


def _weight_name(weight: WeightSpec, layer: str) -> tuple[str, str]:
    """The layer and the weight's name within it."""
    return layer, weight.name.removeprefix(f"{weight.layer}/") if weight.layer else weight.name
