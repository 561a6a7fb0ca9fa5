"""Recognizes an activation function by its values rather than by its name."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

REACH = 20.0
"""Functions are compared between minus this and plus this."""
FAR = (50.0, 1e3, 1e4)
"""Further points, for the bounds of functions; within the range of float16."""
GRID: Values = np.sort(np.concatenate([np.linspace(-REACH, REACH, 801), [-1e-3, 1e-3], FAR, np.negative(FAR)]))
"""Inputs on which activation functions differ."""

SILENT = "rectifier"
SMOOTH = "smooth rectifier"
BOUNDED = "bounded function"
NAMELESS = frozenset({SILENT, SMOOTH, BOUNDED})
"""Names for functions that behave like an activation function and are not a known one."""

_EDGE = 4.0
"""The half line of zeros must end between minus this and plus this. Smooth functions underflow to zero further out."""
_LEVEL = 0.02
"""A function has leveled off if it moves by less than this share of its range at the end."""
_FEWEST = 16
"""Finite pairs needed to recognize a function."""


@dataclasses.dataclass(frozen=True)
class Function:
    """An activation function.

    Attributes:
        name: as in `keras.activations` if it is one of those, else `SILENT`, `SMOOTH` or `BOUNDED`.
        bounds: the values at which it levels off, lower and upper; None if it does not.
        is_silencing: whether it is exactly zero on a half line.
    """

    name: str
    bounds: tuple[float, float] | None = None
    is_silencing: bool = False


def _gelu(x: Values) -> Values:
    return np.array([0.5 * value * (1 + math.erf(value / math.sqrt(2))) for value in x])


def _sigmoid(x: Values) -> Values:
    return np.exp(-np.logaddexp(0, -x))


def _elu(x: Values) -> Values:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


_NAMED: dict[str, Callable[[Values], Values]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "sparse_plus": lambda x: np.where(x > 1, x, np.maximum(x + 1, 0) ** 2 / 4),
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "gelu": _gelu,
    "silu": lambda x: x * _sigmoid(x),
    "elu": _elu,
    "selu": lambda x: 1.05070098 * np.where(x > 0, x, 1.67326324 * np.expm1(np.minimum(x, 0))),
    "softplus": lambda x: np.logaddexp(0, x),
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "squareplus": lambda x: (x + np.sqrt(x**2 + 4)) / 2,
    "log_sigmoid": lambda x: -np.logaddexp(0, -x),
    "tanh_shrink": lambda x: x - np.tanh(x),
    "soft_shrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "hard_shrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
}
_SILENCING = frozenset({"relu", "relu6", "hard_silu", "sparse_plus"})
_BOUNDS = {
    "tanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softsign": (-1.0, 1.0),
}
NAMES = frozenset({*_NAMED, "leaky_relu", "threshold", "prelu", "celu", "swish", "hard_swish", "soft_sign", "glu"})
"""Names that imply how a function behaves."""


def classify(x: Values, y: Values, tolerance: float) -> Function | None:
    """The activation function that maps `x` to `y`; None for straight lines, constants and everything else.

    Args:
        x: ascending; should contain all or most of `GRID`.
        y: of the same length; values that are not finite are left out.
        tolerance: relative precision of `y`.
    """
    usable = np.isfinite(y)
    core = usable & (np.abs(x) <= REACH)
    if np.count_nonzero(core) < 0.8 * np.count_nonzero(np.abs(x) <= REACH) or _is_straight(x[core], y[core], tolerance):
        return None
    return _named(x[core], y[core], tolerance) or _nameless(x[core], y[core], x[usable], y[usable])


def classify_sample(x: Values, y: Values, tolerance: float) -> Function | None:
    """The named activation function that maps `x` to `y`, from arbitrary samples; None if none fits.

    Args:
        x, y: of the same length, in any order. The result is None for fewer than 16 finite pairs.
        tolerance: relative precision of `y`.
    """
    usable = np.isfinite(x) & np.isfinite(y)
    x, y = x[usable], y[usable]
    if len(x) < _FEWEST or np.ptp(x) == 0 or np.array_equal(x, y):
        return None
    # Only negative inputs, and every output exactly zero: a ReLU whose units are all silent.
    if not np.any(y):
        return Function("relu", None, is_silencing=True) if x.max() <= 0 else None
    return None if _is_straight(x, y, tolerance) else _named(x, y, tolerance)


def _is_straight(x: Values, y: Values, tolerance: float) -> bool:
    line = np.polynomial.Polynomial.fit(x, y, 1)(x)
    return bool(np.abs(y - line).max() <= tolerance * max(float(np.ptp(y)), 1e-30))


def _named(x: Values, y: Values, tolerance: float) -> Function | None:
    errors = {name: _error(y, function(x)) for name, function in _NAMED.items()}
    best = min(errors, key=errors.__getitem__)
    # A smooth function can come within the tolerance of a silencing one; only exact zeros prove the latter.
    silences = best not in _SILENCING or not np.any(y[x <= -_EDGE])
    if errors[best] <= tolerance and silences:
        return Function(best, _BOUNDS.get(best), best in _SILENCING)
    above, below = x > 0, x < 0
    if np.count_nonzero(above) < 2 or np.count_nonzero(below) < 2:
        return None
    slope = float(np.median(y[below] / x[below]))
    if 0 < abs(slope) < 1 and _error(y, np.where(x > 0, x, slope * x)) <= tolerance:
        return Function("leaky_relu")
    cap = float(y.max())
    if cap > 0 and not np.any(y[below]) and _error(y, np.clip(x, 0, cap)) <= tolerance:
        return Function("relu", None, is_silencing=True)
    return None


def _error(y: Values, expected: Values) -> float:
    return float(np.max(np.abs(y - expected) / (1 + np.abs(expected))))


def _nameless(x: Values, y: Values, x_far: Values, y_far: Values) -> Function | None:
    """Classifies a function by its two ends; `x_far`, `y_far` reach further out."""
    spread = float(np.ptp(y))
    left, right = _ends(x, y)
    if _is_zero_below(x, y) or _is_zero_below(-x[::-1], y[::-1]):
        is_level = abs(left[0]) + abs(right[0]) <= _LEVEL * spread
        middle = abs(float(np.interp(0.0, x, y)))
        if not is_level or middle <= 0.05 * spread:
            return Function(_rectifier_name(x, y), None, is_silencing=True)
    rises = np.diff(y) * (1 if y[-1] >= y[0] else -1)
    is_monotone = bool(np.all(rises >= -1e-3 * spread))
    if is_monotone and max(abs(left[0]), abs(right[0])) <= _LEVEL * spread:
        return Function(BOUNDED, (float(y_far.min()), float(y_far.max())))
    if not _is_steady(right) or abs(right[0]) <= _LEVEL * spread:
        return None
    if abs(left[0]) <= _LEVEL * abs(right[0]):
        return Function(SMOOTH)
    differ = abs(left[0] - right[0]) > 0.01 * max(abs(left[0]), abs(right[0]))
    return Function("leaky_relu") if is_monotone and differ and _is_steady(left) else None


def _ends(x: Values, y: Values) -> tuple[tuple[float, float], tuple[float, float]]:
    """The change of `y` over the outermost quarter of each half and over the quarter next to it: left, right."""
    at = np.interp([-REACH, -0.75 * REACH, -0.5 * REACH, 0.5 * REACH, 0.75 * REACH, REACH], x, y)
    return (float(at[1] - at[0]), float(at[2] - at[1])), (float(at[5] - at[4]), float(at[4] - at[3]))


def _is_steady(end: tuple[float, float]) -> bool:
    return abs(end[0] - end[1]) <= 0.1 * abs(end[0])


def _is_zero_below(x: Values, y: Values) -> bool:
    """Whether `y` is exactly zero up to some point near 0, and nonzero after it except for a few values."""
    nonzero = np.flatnonzero(y)
    first = int(nonzero[0]) if nonzero.size else len(y)
    return 0 < first < len(y) and -_EDGE <= x[first] <= _EDGE and float(np.mean(y[first:] != 0)) > 0.9


def _rectifier_name(x: Values, y: Values) -> str:
    """The name of a silencing function; a scaled or capped ReLU counts as "relu"."""
    above = x > 0
    slope = float(np.median(y[above][:20] / x[above][:20]))
    is_relu = slope > 0 and _error(y, np.minimum(slope * np.maximum(x, 0), y.max())) <= 1e-2
    return "relu" if is_relu else SILENT
