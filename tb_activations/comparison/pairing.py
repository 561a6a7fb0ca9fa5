"""Pairs the layers and weights of one run with those of another."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray

from tb_activations.records.specs import LayerSpec, RunSpec, WeightSpec

Pairs = tuple[tuple[int, int], ...]
"""Rows of the expected run, each with its row in the actual one, in the order of the expected run."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pairing:
    """Which rows of two runs belong together.

    Attributes:
        layers, weights: the rows that are in both runs.
        names: maps layer names of the actual run to those of the expected run.
    """

    expected: RunSpec
    actual: RunSpec
    layers: Pairs
    weights: Pairs
    names: Mapping[str, str]

    @property
    def renamed(self) -> dict[str, str]:
        """Names of the expected run that the actual run does not have, each with its name there."""
        return {expected: actual for actual, expected in self.names.items() if expected != actual}

    @property
    def missing(self) -> tuple[str, ...]:
        """Layers that only the expected run has, in call order."""
        found = {row for row, _ in self.layers}
        return tuple(layer.name for row, layer in enumerate(self.expected.layers) if row not in found)

    @property
    def added(self) -> tuple[str, ...]:
        """Layers that only the actual run has, in call order."""
        found = {row for _, row in self.layers}
        return tuple(layer.name for row, layer in enumerate(self.actual.layers) if row not in found)

    def units(self, place: int) -> tuple[slice, slice] | None:
        """The units of pair `place` of `layers` in the unit vectors of both runs; None if their numbers differ."""
        one, other = self.layers[place]
        if self.expected.layers[one].units != self.actual.layers[other].units:
            return None
        return self.expected.unit_slice(one), self.actual.unit_slice(other)


def pair(expected: RunSpec, actual: RunSpec) -> Pairing:
    """The rows that belong together.

    Layers match by name. If the names differ but the sequence of classes and output shapes is the same, all layers
    match by position, since Keras numbers automatic names per process. If that differs as well, layers match by names
    that were given, and what remains between them by class, output shape and, where possible, activation, in order.

    Weights match by layer and by their own name.
    """
    layers = _layer_pairs(expected.layers, actual.layers)
    names = {actual.layers[other].name: expected.layers[one].name for one, other in layers}
    rows = {weight_key(weight, names): row for row, weight in enumerate(actual.weights)}
    keys = [weight_key(weight, {}) for weight in expected.weights]
    weights = tuple((row, rows[key]) for row, key in enumerate(keys) if key in rows)
    return Pairing(expected, actual, layers, weights, names)


def weight_key(weight: WeightSpec, names: Mapping[str, str]) -> tuple[str, str]:
    """The layer, renamed by `names`, and the weight's own name."""
    own = weight.name.removeprefix(f"{weight.layer}/") if weight.layer else weight.name
    return names.get(weight.layer, weight.layer), own


def rows_of(pairs: Pairs) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows in the expected run and those in the actual one, as index arrays."""
    both = np.array(pairs, np.intp).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _layer_pairs(expected: Sequence[LayerSpec], actual: Sequence[LayerSpec]) -> Pairs:
    rows = {layer.name: row for row, layer in enumerate(actual)}
    names = [layer.name for layer in expected]
    if set(names) == set(rows):
        return tuple((row, rows[name]) for row, name in enumerate(names))
    if [_kind(layer) for layer in expected] == [_kind(layer) for layer in actual]:
        return tuple((row, row) for row in range(len(names)))
    given = {layer.name for layer in expected if not _is_automatic(layer)}
    paired = {row: rows[name] for row, name in enumerate(names) if name in given and name in rows}
    for describe in (_kind_and_activation, _kind):
        paired |= _in_order(expected, actual, paired, describe)
    return tuple(sorted(paired.items()))


Describe = Callable[[LayerSpec], tuple[object, ...]]


def _in_order(
    expected: Sequence[LayerSpec], actual: Sequence[LayerSpec], paired: Mapping[int, int], describe: Describe
) -> dict[int, int]:
    """Rows without a partner yet that are alike and lie between the same paired layers, in order."""
    taken = {other: row for row, other in paired.items()}
    one: list[object] = [("pair", row) if row in paired else describe(layer) for row, layer in enumerate(expected)]
    other: list[object] = [
        ("pair", taken[row]) if row in taken else describe(layer) for row, layer in enumerate(actual)
    ]
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    matched = {a + place: b + place for a, b, size in blocks for place in range(size)}
    return {row: partner for row, partner in matched.items() if row not in paired and partner not in taken}


def _kind(layer: LayerSpec) -> tuple[object, ...]:
    return layer.class_name, layer.call_site, layer.output_shape


def _kind_and_activation(layer: LayerSpec) -> tuple[object, ...]:
    return *_kind(layer), layer.activation


def _is_automatic(layer: LayerSpec) -> bool:
    """Whether Keras made the name: the class in snake case and a number that counts per process."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", layer.class_name)).lower()
    own = layer.name.rsplit("/", 1)[-1].split("@")[0]
    return re.fullmatch(rf"{re.escape(words)}(_\d+)?", own) is not None
