"""Samples and targets for a description."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from benchmarks.odd_models.description import Description
from benchmarks.odd_models.pieces import CLASSES, TOKENS
from benchmarks.odd_models.structures import EXTRA, SHAPES

REST = 3
"""Samples of the shorter batch that ends an epoch."""


@dataclasses.dataclass(frozen=True)
class Samples:
    """Inputs and targets as `fit` takes them, arrays or tuples of arrays."""

    x: Any
    y: Any

    def part(self, where: slice) -> tuple[Any, Any]:
        """Selects samples of inputs and targets."""
        return _part(self.x, where), _part(self.y, where)


def make_samples(described: Description) -> Samples:
    """The number of samples in the description's batches."""
    chance = np.random.default_rng([described.seed, 2])
    count = described.batch * described.batches + (REST if described.has_rest else 0)
    shape = (count, *SHAPES[described.inputs])
    is_tokens = described.inputs == "tokens"
    x: Any = chance.integers(0, TOKENS, shape).astype("int32") if is_tokens else _normal(chance, shape)
    mean = x.reshape(count, -1)[:, :4].mean(axis=1)
    y: Any = np.digitize(mean, np.quantile(mean, [0.25, 0.5, 0.75])).astype("int32")
    assert y.max() < CLASSES
    if described.is_regression:
        y = mean[:, None].astype("float32")
    if described.structure == "functional_inputs":
        x = (x, _normal(chance, (count, EXTRA)))
    if described.structure.endswith("_outputs"):
        y = (y, mean[:, None].astype("float32"))
    return Samples(x, y)


def _normal(chance: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return chance.normal(size=shape).astype("float32")


def _part(values: Any, where: slice) -> Any:
    return tuple(value[where] for value in values) if isinstance(values, tuple) else values[where]
