"""How far a value may be from the expected one, per statistic and layer."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ANY = "*"
"""Stands for every statistic of a layer."""


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """Two values are equal if they differ by at most `atol + rtol * |expected|`.

    NaN equals NaN, and an infinity equals itself.

    Attributes:
        rtol: relative to the expected value, finite and >= 0.
        atol: absolute, finite and >= 0.

    Raises:
        ValueError: one of them is negative, infinite or NaN.
    """

    rtol: float = 1e-5
    atol: float = 1e-8

    def __post_init__(self) -> None:
        for name, value in (("rtol", self.rtol), ("atol", self.atol)):
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be a finite number >= 0, got {value}")

    @property
    def is_exact(self) -> bool:
        """Whether values must be equal."""
        return self.rtol == 0 and self.atol == 0

    def allows(self, expected: float, actual: float) -> bool:
        """Whether the two values are equal."""
        return bool(close(np.array(expected), np.array(actual), self.rtol, self.atol))

    def __str__(self) -> str:
        return f"rtol={self.rtol:g}, atol={self.atol:g}"


@dataclasses.dataclass(frozen=True)
class Tolerances:
    """The tolerance of each statistic in each layer. The most specific entry wins: layer and statistic, then all
    statistics of the layer, then the statistic in all layers, then the default.

    Attributes:
        default: for everything else.
        statistics: by id of a statistic, such as "update_ratio".
        layers: by name of a layer (or weight) in the expected run, then by statistic; "*" for all its statistics.
    """

    default: Tolerance = Tolerance()
    statistics: Mapping[str, Tolerance] = dataclasses.field(default_factory=dict)
    layers: Mapping[str, Mapping[str, Tolerance]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, rtol: float = 1e-5, atol: float = 1e-8) -> Tolerances:
        """The same tolerance for everything."""
        return cls(Tolerance(rtol, atol))

    def at(self, statistic: str, layer: str | None = None) -> Tolerance:
        """The tolerance of one statistic, in one layer or for the training as a whole (None)."""
        own = self.layers.get(layer, {}) if layer is not None else {}
        return own.get(statistic) or own.get(ANY) or self.statistics.get(statistic) or self.default

    def limits(
        self, layers: Sequence[str | None], statistics: Sequence[str]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`rtol` and `atol` as arrays `[layers, statistics]`."""
        chosen = [[self.at(statistic, layer) for statistic in statistics] for layer in layers]
        shape = (len(layers), len(statistics))
        rtol, atol = (
            np.array([[getattr(one, name) for one in row] for row in chosen], np.float64).reshape(shape)
            for name in ("rtol", "atol")
        )
        return rtol, atol

    def to_json(self) -> dict[str, Any]:
        """In JSON's own types: `[rtol, atol]` for each entry."""
        return {
            "default": _pair(self.default),
            "statistics": {name: _pair(one) for name, one in self.statistics.items()},
            "layers": {
                layer: {name: _pair(one) for name, one in entries.items()} for layer, entries in self.layers.items()
            },
        }

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Tolerances:
        """The tolerances from `to_json`. Raises ValueError if `members` is anything else."""
        try:
            return cls(
                Tolerance(*members["default"]),
                {name: Tolerance(*pair) for name, pair in members["statistics"].items()},
                {
                    layer: {name: Tolerance(*pair) for name, pair in entries.items()}
                    for layer, entries in members["layers"].items()
                },
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"these are no tolerances: {error!r}") from error


def close(
    expected: NDArray[Any], actual: NDArray[Any], rtol: NDArray[np.float64] | float, atol: NDArray[np.float64] | float
) -> NDArray[np.bool_]:
    """Where the values are equal within the tolerances, which broadcast to the shape of the values."""
    one, other = expected.astype(np.float64), actual.astype(np.float64)
    is_finite = np.isfinite(one) & np.isfinite(other)
    with np.errstate(invalid="ignore"):
        is_within = np.abs(other - one) <= atol + rtol * np.abs(one)
    is_same = (one == other) | (np.isnan(one) & np.isnan(other))
    equal: NDArray[np.bool_] = np.where(is_finite, is_within, is_same)
    return equal


def sizes(expected: NDArray[Any], actual: NDArray[Any]) -> NDArray[np.float64]:
    """`|actual - expected|` relative to the root mean square of the finite expected values (if these are all 0, to the
    larger magnitude of the two). Infinite if just one of two values is finite, or if they are different infinities.

    All 0 if one of the arrays has only NaN: what was not measured has no size.
    """
    one, other = np.asarray(expected, np.float64), np.asarray(actual, np.float64)
    if np.isnan(one).all() or np.isnan(other).all():
        return np.zeros(one.shape)
    finite = one[np.isfinite(one)]
    scale = math.sqrt(float(np.mean(np.square(finite)))) if finite.size else 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.abs(other - one) / (scale if scale > 0 else np.maximum(np.abs(one), np.abs(other)))
    is_same = (one == other) | (np.isnan(one) & np.isnan(other))
    filled: NDArray[np.float64] = np.where(is_same, 0.0, np.where(np.isnan(found), np.inf, found))
    return filled


def _pair(tolerance: Tolerance) -> list[float]:
    return [tolerance.rtol, tolerance.atol]
