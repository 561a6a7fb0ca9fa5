"""The criteria: which layers of a measured training have which sickness.

A fact is `certain` if anyone would agree. Otherwise it is *arguable*: an alarm about it is not a false alarm, and a
missing alarm is not a miss. Criteria use the whole data set after every epoch, never records of `tb_activations`.
"Late" is the last fifth of the measurements and at least two of them. Learned: the last loss is below `LEARNED` times
that of the best constant predictor (or times the first loss, if that is smaller or the constant one is unknown), or
the goal of the program is reached if it has one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.cases.measurements import Fact, Measurements
from benchmarks.cases.truth_whole import learning_rate, no_learning, nonfinite_data, nonfinite_loss, unfit_head

Flags = list[bool]


def facts(measured: Measurements) -> list[Fact]:
    """All certain and arguable facts of this training."""
    return [fact for criterion in _CRITERIA for fact in criterion(measured)]


def _lasting(measured: Measurements, flags: Flags) -> int | None:
    """The step since which `flags` is true to the end, None unless that includes the late part."""
    if not all(flags[-measured.late :]):
        return None
    first = len(flags)
    while first and flags[first - 1]:
        first -= 1
    return measured.step_of(first)


def _ever(measured: Measurements, flags: Flags, in_a_row: int = 1) -> int | None:
    """The first step from which `flags` is true for this many measurements in a row, None if never."""
    for first in range(len(flags) - in_a_row + 1):
        if all(flags[first : first + in_a_row]):
            return measured.step_of(first)
    return None


def _fact(rule: str, layer: str, certain: int | None, arguable: int | None, why: str) -> Iterator[Fact]:
    """The fact that is certain since `certain`, else the arguable one; nothing if both are None."""
    if certain is not None:
        yield Fact(rule, layer, True, certain, why)
    elif arguable is not None:
        yield Fact(rule, layer, False, arguable, why)


def dead_units(measured: Measurements) -> Iterator[Fact]:
    """Rectifier units that are zero on all data: half of a hidden layer late. Arguable: a third, twice in a row.

    For a head only if all units are dead.
    """
    for layer, known in measured.layers.items():
        shares = [_share(active, lambda values: values <= 0) for active in measured.series(layer, "active")]
        if known["head"]:
            shares = [float(share == 1) for share in shares]
        certain = _lasting(measured, [share >= 0.5 for share in shares])
        yield from _fact(
            "dead_units", layer, certain, _ever(measured, [s >= 0.33 for s in shares], 2), f"{shares[-1]:.2f} dead"
        )


def dormant_units(measured: Measurements) -> Iterator[Fact]:
    """Units of any other activation whose mean size is under 2.5 % of the layer's mean: half of a hidden layer late.

    Arguable: a quarter of the units under 10 %.
    """
    for layer, known in measured.layers.items():
        if known["activation"] in (None, "relu", "relu6") or known["head"]:
            continue
        sizes = measured.series(layer, "size")
        certain = _lasting(measured, [_share(size, lambda v: v <= 0.025) >= 0.5 for size in sizes])
        arguable = _ever(measured, [_share(size, lambda v: v <= 0.1) >= 0.25 for size in sizes], 2)
        last = _share(sizes[-1], lambda v: v <= 0.025)
        yield from _fact("dormant_units", layer, certain, arguable, f"{last:.2f} dormant")


def vanishing_gradient(measured: Measurements) -> Iterator[Fact]:
    """Elasticity under 0.005 in the median, and nothing learned.

    Elasticity is ‖gradient‖·‖weights‖ / loss. Arguable: under 0.02 at two measurements in a row.
    """
    for layer in _trained(measured):
        values = [_number(value) for value in measured.series(layer, "elasticity")]
        if not any(math.isfinite(value) for value in values):
            continue
        median = float(np.nanmedian(values))
        low = [value < 0.005 for value in values]
        certain = _ever(measured, low) if median < 0.005 and not measured.has_learned else None
        arguable = _ever(measured, [value < 0.02 for value in values], 2)
        yield from _fact("vanishing_gradient", layer, certain, arguable, f"median elasticity {median:.2g}")


def exploding_gradient(measured: Measurements) -> Iterator[Fact]:
    """An update more than ten times the kernel's norm, a loss over 1000 times a constant's, elasticity over 100.

    The loss counts for every layer. Elasticity counts at two measurements, and only while the loss is above half of
    that of a network that learned nothing: later it is large because the loss is small. Arguable: updates larger than
    the kernel in one step of twenty, a loss over 20 times, elasticity over 50; and every layer of a training in which
    another one explodes.
    """
    is_early = [loss > measured.reference_loss / 2 for loss in measured.losses]
    # The loss of a policy may be negative.
    base = abs(measured.constant_loss if math.isfinite(measured.constant_loss) else measured.losses[0])
    blown_up = _ever(measured, [loss > 1000 * base for loss in measured.losses])
    risen = _ever(measured, [loss > 20 * base for loss in measured.losses])
    found = {}
    for layer in _trained(measured):
        sizes = [_number(size) for size in measured.steps.get(layer, [])]
        huge = [step for step, size in enumerate(sizes) if size > 10]
        large = [step for step, size in enumerate(sizes) if size > 1]
        values = [_number(value) for value in measured.series(layer, "elasticity")]
        elasticity = [value if early else 0.0 for value, early in zip(values, is_early, strict=True)]
        certain = _earliest(huge[:1], blown_up, _ever(measured, [value > 100 for value in elasticity], 2))
        often = large[:1] if len(large) > len(sizes) / 20 else []
        arguable = _earliest(often, risen, _ever(measured, [value > 50 for value in elasticity]))
        found[layer] = (certain, arguable, f"largest step {max(sizes, default=0):.2g}")
    elsewhere = _earliest([], *(certain for certain, _, _ in found.values()))
    for layer, (certain, arguable, why) in found.items():
        yield from _fact("exploding_gradient", layer, certain, _earliest([], arguable, elsewhere), why)


def nonfinite(measured: Measurements) -> Iterator[Fact]:
    """Any output, gradient or weight that is NaN or infinite, on all data or after a step."""
    for layer in measured.layers:
        flags = [
            any(moment["layers"][layer].get(f"{part}nonfinite", 0) for part in ("", "weights_", "gradients_"))
            for moment in measured.moments
        ]
        since = _ever(measured, flags)
        if since is not None and not flags[0] and measured.broken_step is not None:
            since = min(since, measured.broken_step)
        yield from _fact("nonfinite", layer, since, None, "not finite")


def saturated_units(measured: Measurements) -> Iterator[Fact]:
    """Bounded hidden activations: half of the units within 2.5 % of a bound on 90 % of the data, late.

    Or 80 % of all outputs. Arguable: half of all outputs, twice in a row. Gates are omitted; heads are arguable while
    nothing is learned.
    """
    for layer, known in measured.layers.items():
        if known["gate"] or (known["head"] and measured.has_learned):
            continue
        shares = measured.series(layer, "at_bound")
        units = [_share(share, lambda v: v >= 0.9) for share in shares]
        overall = [0.0 if share is None else float(np.mean(share)) for share in shares]
        flags = [unit >= 0.5 or all_ >= 0.8 for unit, all_ in zip(units, overall, strict=True)]
        certain = None if known["head"] else _lasting(measured, flags)
        arguable = _ever(measured, [share >= 0.5 for share in overall], 2)
        yield from _fact("saturated_units", layer, certain, arguable, f"{overall[-1]:.2f} at the bounds")


def stagnant_weights(measured: Measurements) -> Iterator[Fact]:
    """Kernels that moved less than 1e-4 of their norm in total while nothing was learned, or less than 1e-6.

    Or that move too fast: steps over 0.1 of the norm in the median of the second half. Arguable: moved less than 3e-3;
    no movement in the second half with nothing learned; steps over 0.03 in either half.
    """
    for layer in _trained(measured):
        moved = [_number(value) for value in measured.series(layer, "moved")]
        sizes = [_number(size) for size in measured.steps.get(layer, [])]
        early, fast = (_median(half) for half in (sizes[: len(sizes) // 2], sizes[len(sizes) // 2 :]))
        is_still = moved[-1] < (1e-6 if measured.has_learned else 1e-4)
        has_stopped = fast < 1e-7 and not measured.has_learned
        certain = 0 if is_still or fast > 0.1 else None
        arguable = 0 if moved[-1] < 3e-3 or has_stopped or fast > 0.03 or early > 0.03 else None
        why = f"moved {moved[-1]:.2g}, median late step {fast:.2g}"
        yield from _fact("stagnant_weights", layer, certain, arguable, why)


def no_gradient(measured: Measurements) -> Iterator[Fact]:
    """A trained layer for which the tape has no gradient at any measurement. Arguable: it is exactly zero at two."""
    for layer in _trained(measured):
        gradients = measured.series(layer, "gradient")
        certain = 0 if all(gradient is None for gradient in gradients) else None
        arguable = _ever(measured, [not gradient for gradient in gradients], 2)
        yield from _fact("no_gradient", layer, certain, arguable, f"last gradient {gradients[-1]}")


def collapsed_layer(measured: Measurements) -> Iterator[Fact]:
    """90 % of the outputs differ between samples by less than 1e-3 of their size, late. Arguable: 2e-2, once."""
    for layer in measured.layers:
        spreads = [_number(value) for value in measured.series(layer, "spread")]
        certain = _lasting(measured, [spread < 1e-3 for spread in spreads])
        arguable = _ever(measured, [spread < 2e-2 for spread in spreads])
        yield from _fact("collapsed_layer", layer, certain, arguable, f"spread {spreads[-1]:.2g}")


def poor_init(measured: Measurements) -> Iterator[Fact]:
    """Before the first step: a kernel of the wrong size, alone or with its inputs; or units that start and stay equal.

    Gain is the kernel's root mean square times the square root of its fan-in; 1 preserves the signal's size. Wrong
    size: over 5 or under 0.05, or gain times the inputs' root mean square over 30. Equal units: in a layer that is not
    the head, at the start and at the end. Arguable: over 2.5, under 0.2, over 6 or not finite, equal at the start
    only.
    """
    for layer, known in measured.layers.items():
        start, end = (measured.moments[at]["layers"][layer] for at in (0, -1))
        gain, drive = _number(start.get("gain"), 1.0), _number(start.get("drive"), 1.0)
        equal = bool(start.get("units_equal")) and not known["head"]
        stays = equal and bool(end.get("units_equal"))
        # A kernel of zeros has no scale: what counts is whether its units stay equal.
        is_scaled = gain > 0 and known["class"] != "Embedding"
        off = is_scaled and known["trained"] and (gain > 5 or gain < 0.05 or drive > 30)
        slightly = equal or (is_scaled and (gain > 2.5 or gain < 0.2 or not drive <= 6))
        why = f"gain {gain:.2g}, drive {drive:.2g}, equal units {equal}"
        certain = 0 if stays or off else None
        yield from _fact("poor_init", layer, certain, 0 if slightly else None, why)


def _trained(measured: Measurements) -> Iterator[str]:
    return (layer for layer, known in measured.layers.items() if known["trained"])


def _share(values: Any, condition: Callable[[Any], Any]) -> float:
    """Share of units for which `condition` is true, 0 if there are no values."""
    return float(np.mean(condition(np.asarray(values)))) if values else 0.0


def _number(value: Any, missing: float = math.nan) -> float:
    return missing if value is None else float(value)


def _median(values: list[float]) -> float:
    """Median of the values that are numbers, NaN if there are none."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.median(known)) if known else math.nan


def _earliest(found: list[int], *more: int | None) -> int | None:
    known = [*found, *(step for step in more if step is not None)]
    return min(known, default=None)


_CRITERIA: tuple[Callable[[Measurements], Iterator[Fact]], ...] = (
    dead_units,
    dormant_units,
    vanishing_gradient,
    exploding_gradient,
    nonfinite,
    saturated_units,
    stagnant_weights,
    no_gradient,
    collapsed_layer,
    poor_init,
    unfit_head,
    nonfinite_data,
    nonfinite_loss,
    no_learning,
    learning_rate,
)
