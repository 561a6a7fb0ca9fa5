"""The columns of layer outputs, from what their calls measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tb_activations.taps.numbers.layout import HEAD_STATISTICS
from tb_activations.taps.numbers.values import Vector


@dataclasses.dataclass(frozen=True)
class Part:
    """One call, `[1, ...]` each. Only attention has statistics of `heads`."""

    activation: Vector
    input_rms: Vector
    heads: Vector
    gradient: Vector
    active: Vector
    peak: Vector


OUTPUT_VALUES = (
    "elements",
    "mean",
    "std",
    "min",
    "max",
    "zero_fraction",
    "nonfinite",
    "silent_fraction",
    "gradient_norm",
    "gradient_mean_abs",
    "gradient_nonfinite",
    "sample_std",
    "unit_std",
    "saturated_fraction",
    "input_rms",
    *HEAD_STATISTICS,
    "kurtosis",
)


def outputs(
    members: Sequence[Sequence[Part]], units: Sequence[int], scale: float
) -> tuple[dict[str, Vector], Vector, Vector]:
    """The columns `OUTPUT_VALUES` of each row, and activity and peak of all its units, concatenated.

    Args:
        members: the calls that a row consists of; none for a layer without statistics.
        units: number of units of each row.
        scale: of the loss, by which gradients are too large.
    """
    table = {name: np.full(len(members), np.nan) for name in OUTPUT_VALUES}
    activity: list[Vector] = [np.zeros(0)] * len(members)
    peak = list(activity)
    # Nearly all rows of a deep network are one call: their numbers need no merging.
    single = [row for row, parts in enumerate(members) if len(parts) == 1]
    if single:
        _fill_single(table, activity, peak, single, [members[row][0] for row in single], units, scale)
    for row in set(range(len(members))) - set(single):
        columns, activity[row], peak[row] = _columns(members[row], units[row], scale)
        for name, value in columns.items():
            table[name][row] = value
    return table, np.concatenate([np.zeros(0), *activity]), np.concatenate([np.zeros(0), *peak])


def _fill_single(
    table: dict[str, Vector],
    activity: list[Vector],
    peak: list[Vector],
    rows: Sequence[int],
    parts: Sequence[Part],
    units: Sequence[int],
    scale: float,
) -> None:
    elements, mean, std, low, high, nonzero, nonfinite, sample_std, unit_std, saturated, kurtosis = np.concatenate(
        [part.activation for part in parts]
    ).T
    is_finite, is_some = elements > nonfinite, elements > 0
    columns = {
        "elements": elements,
        "mean": np.where(is_finite, mean, np.nan),
        "std": np.where(is_finite, std, np.nan),
        "min": np.where(is_finite, low, np.nan),
        "max": np.where(is_finite, high, np.nan),
        "zero_fraction": 1.0 - ratios(nonzero, elements),
        "nonfinite": nonfinite,
        "sample_std": np.where(is_some, sample_std, np.nan),
        "unit_std": np.where(is_some & (np.array([units[row] for row in rows]) > 1), unit_std, np.nan),
        "saturated_fraction": np.where(is_some, saturated, np.nan),
        "kurtosis": np.where(is_some, kurtosis, np.nan),
        "input_rms": np.where(is_some, np.concatenate([part.input_rms for part in parts])[:, 0], np.nan),
    }
    length, norm, abs_sum, lost = np.concatenate([part.gradient for part in parts]).T
    columns |= {
        "gradient_norm": norm / scale,
        "gradient_mean_abs": ratios(abs_sum, length - lost) / scale,
        "gradient_nonfinite": lost,
    }
    for name, values in columns.items():
        table[name][rows] = values
    for row, part in zip(rows, parts, strict=True):
        if part.heads.shape[1]:
            for name, value in _of_heads([part]).items():
                table[name][row] = value
    for row, part, count in zip(rows, parts, elements.tolist(), strict=True):
        if units[row]:
            # Without elements, nothing is known of the units.
            unknown = None if count else np.full(units[row], np.nan)
            activity[row] = part.active[0] if unknown is None else unknown
            peak[row] = part.peak[0] if unknown is None else unknown
    silent = [row for row, count in zip(rows, elements.tolist(), strict=True) if units[row] and count]
    table["silent_fraction"][silent] = _silent_fractions([activity[row] for row in silent])


def _silent_fractions(activity: Sequence[Vector]) -> Vector:
    """Of each, none of which is empty."""
    if not activity:
        return np.zeros(0)
    counts = np.array([len(one) for one in activity])
    silent = np.add.reduceat(np.concatenate(activity) == 0, np.cumsum(counts) - counts, dtype=np.int64)
    fractions: Vector = silent / counts
    return fractions


def _columns(parts: Sequence[Part], units: int, scale: float) -> tuple[dict[str, float], Vector, Vector]:
    if not parts:
        return dict.fromkeys(OUTPUT_VALUES, np.nan), np.zeros(0), np.zeros(0)
    activation = np.concatenate([part.activation for part in parts])
    elements, mean, std, low, high, nonzero, nonfinite, sample_std, unit_std, saturated, kurtosis = activation.T
    count = elements.sum()
    finite = elements - nonfinite
    kept = finite > 0
    # Chan, Golub & LeVeque 1983: moments of parts combine to those of the whole.
    whole_mean = ratio((finite * mean)[kept].sum(), finite.sum())
    deviations = (finite * (std**2 + (mean - whole_mean) ** 2))[kept].sum()
    columns = {
        "elements": float(count),
        "mean": whole_mean,
        "std": float(np.sqrt(ratio(deviations, finite.sum()))),
        "min": float(low[kept].min()) if kept.any() else np.nan,
        "max": float(high[kept].max()) if kept.any() else np.nan,
        "zero_fraction": 1.0 - ratio(nonzero.sum(), count),
        "nonfinite": float(nonfinite.sum()),
        "sample_std": rms(sample_std, elements),
        "unit_std": rms(unit_std, elements) if units > 1 else np.nan,
        "saturated_fraction": average(saturated, elements),
        "kurtosis": average(kurtosis, elements),
        "input_rms": rms(np.concatenate([part.input_rms for part in parts])[:, 0], elements),
    }
    columns |= _of_heads(parts)
    gradient = np.concatenate([part.gradient for part in parts])
    columns |= _gradient_columns(gradient[~np.isnan(gradient[:, 0])], scale)
    if not units:
        return columns | {"silent_fraction": np.nan}, np.zeros(0), np.zeros(0)
    if not count:
        return columns | {"silent_fraction": np.nan}, np.full(units, np.nan), np.full(units, np.nan)
    activity = np.average(np.concatenate([part.active for part in parts]), axis=0, weights=elements)
    peak = np.concatenate([part.peak for part in parts]).max(axis=0)
    return columns | {"silent_fraction": float((activity == 0).mean())}, activity, peak


def _of_heads(parts: Sequence[Part]) -> dict[str, float]:
    """Those of `HEAD_STATISTICS`; none for a layer that is not attention. The pair is that of the most alike heads."""
    if any(not part.heads.shape[1] for part in parts):
        return {}
    table = np.concatenate([part.heads for part in parts])
    elements = np.concatenate([part.activation for part in parts])[:, 0]
    logit_max, entropy, heaviest, similarity, *_ = table.T
    # NaN is kept: a logit that is not a number is no small one.
    columns = {"logit_max": float(logit_max.max())}
    for name, values in (("attention_entropy", entropy), ("heaviest_key", heaviest)):
        columns[name] = average(values[~np.isnan(values)], elements[~np.isnan(values)])
    pair = table[0 if np.isnan(similarity).all() else int(np.nanargmax(similarity)), 3:].tolist()
    return columns | dict(zip(HEAD_STATISTICS[3:], pair, strict=True))


def _gradient_columns(gradient: Vector, scale: float) -> dict[str, float]:
    names = ("gradient_norm", "gradient_mean_abs", "gradient_nonfinite")
    if not len(gradient):
        return dict.fromkeys(names, np.nan)
    elements, norm, abs_sum, nonfinite = gradient.T
    mean_abs = ratio(abs_sum.sum(), (elements - nonfinite).sum())
    return dict(
        zip(names, (float(np.linalg.norm(norm)) / scale, mean_abs / scale, float(nonfinite.sum())), strict=True)
    )


def rms(parts: Vector, weights: Vector) -> float:
    """Root mean square of the whole from those of its parts."""
    return float(np.sqrt(average(parts**2, weights)))


def average(values: Vector, weights: Vector) -> float:
    return ratio((values * weights)[weights > 0].sum(), weights.sum())


def ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator else np.nan


def ratios(numerator: Vector, denominator: Vector) -> Vector:
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator != 0)
