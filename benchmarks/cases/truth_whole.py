"""The criteria for a training as a whole: its head, its loss, its learning rate, and whether it learns.

`truth` explains certain and arguable, "late" and "learned". Facts about the whole have the layer `WHOLE`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.cases.base import WHOLE
from benchmarks.cases.measurements import Fact, Measurements

SAME = 0.02
"""A loss that is lower by less than this share is the same."""


def unfit_head(measured: Measurements) -> Iterator[Fact]:
    """An output layer that cannot give what its loss compares it with, whatever its weights.

    A softmax over one value. With a regression loss, 1 % of the targets beyond the range of the activation by 5 % of
    that range, or of the targets' own range where the activation has only one bound. With cross entropy, 1 % of the
    targets outside [0, 1] by 5 %, or of the class numbers beyond the number of units, or of the rows without a class.
    Arguable: any such target; any target beyond the range under a loss of the program's own; cross entropy of a head
    that gives no probabilities.
    """
    for layer, head in measured.heads.items():
        certain, arguable = _misfits(head)
        if certain or arguable:
            yield Fact("unfit_head", layer, bool(certain), 0, ", ".join(certain or arguable))


def nonfinite_loss(measured: Measurements) -> Iterator[Fact]:
    """The loss over all data is not finite while all outputs and weights are, or the reported loss before a weight is.

    Arguable: the loss over all data is not finite, whatever the layers.
    """
    unknown = [not math.isfinite(loss) for loss in measured.losses]
    whole = [
        is_unknown and _are_layers_finite(moment) for is_unknown, moment in zip(unknown, measured.moments, strict=True)
    ]
    steps = [measured.step_of(at) for at, is_whole in enumerate(whole) if is_whole and measured.moments[at]["layers"]]
    reported, broken = measured.broken_loss_step, measured.broken_step
    if reported is not None and (broken is None or reported < broken) and _are_layers_finite(measured.moments[0]):
        steps.append(reported)
    if steps:
        yield Fact("nonfinite_loss", WHOLE, True, min(steps), "layers are finite")
    elif any(unknown):
        yield Fact("nonfinite_loss", WHOLE, False, measured.step_of(unknown.index(True)), "layers are not finite")


def nonfinite_data(measured: Measurements) -> Iterator[Fact]:
    """Arguable: inputs, targets or sample weights hold NaN or infinity. Whether that does harm shows in the layers."""
    if measured.data_nonfinite:
        yield Fact("nonfinite_data", WHOLE, False, 0, f"{measured.data_nonfinite} values")


def no_learning(measured: Measurements) -> Iterator[Fact]:
    """The loss over all data, late, is the same as or higher than the first one or a constant's, whichever is lower.

    Arguable: it is lower by less than a tenth, or not finite, or the goal of the program is not reached.
    """
    if measured.goal is not None:
        if not measured.goal["is_reached"]:
            yield Fact("no_learning", WHOLE, False, 0, measured.progress)
        return
    reference, late = measured.reference_loss, measured.losses[-measured.late :]
    is_same = math.isfinite(reference) and all(loss >= reference - SAME * abs(reference) for loss in late)
    if is_same or not measured.has_learned:
        yield Fact("no_learning", WHOLE, is_same, 0, measured.progress)


def learning_rate(measured: Measurements) -> Iterator[Fact]:
    """A learning rate that is zero, too low, gone too early or too high.

    Zero at every step. Too low: nothing learned, and every trained kernel moved less than 1e-4 of its norm in total
    though the gradient of some layer does not vanish. Gone: nothing learned, and for at least the second half of the
    training it is below a millionth of its highest. Too high: nothing learned or a loss that has grown, and steps over
    0.1 of the norm in the median of the second half in more than half of the layers, or one over 10.
    Arguable: moved less than 3e-3; gone for a quarter of the training; steps over 0.03, or one over 1, learned or not.
    """
    rates = [rate for rate in measured.rates if rate is not None]
    found = [*_fading(measured, rates), *_too_low(measured), *_too_high(measured)]
    certain = [fact for fact in found if fact.certain]
    yield from (certain or found)[:1]


def _fading(measured: Measurements, rates: Sequence[float]) -> Iterator[Fact]:
    """The learning rate is zero, or has become nothing."""
    if not rates:
        return
    if not any(rates):
        yield Fact("learning_rate", WHOLE, True, 0, "zero")
        return
    last = max(step for step, rate in enumerate(rates) if rate >= 1e-6 * max(rates))
    share = 1 - (last + 1) / len(rates)
    if share >= 0.25 and not measured.has_learned:
        yield Fact("learning_rate", WHOLE, share >= 0.5, last + 1, f"gone for {share:.0%} of the steps")


def _too_low(measured: Measurements) -> Iterator[Fact]:
    """No kernel has moved."""
    trained = _trained(measured)
    moved = [_number(measured.moments[-1]["layers"][layer].get("moved"), 1.0) for layer in trained]
    is_pushed = any(_median(measured.series(layer, "elasticity")) >= 0.005 for layer in trained)
    if trained and is_pushed and max(moved) < 3e-3 and not measured.has_learned:
        yield Fact("learning_rate", WHOLE, max(moved) < 1e-4, 0, f"largest movement {max(moved):.2g}")


def _too_high(measured: Measurements) -> Iterator[Fact]:
    """Steps as large as the kernels."""
    sizes = [[_number(size) for size in measured.steps.get(layer, [])] for layer in _trained(measured)]
    late = [_median(steps[len(steps) // 2 :]) for steps in sizes]
    largest = max((size for steps in sizes for size in steps if not math.isnan(size)), default=0.0)
    has_grown = np.median(measured.losses[-measured.late :]) > measured.losses[0]
    is_bad = not measured.has_learned or bool(has_grown)
    is_certain = is_bad and (_most(late, 0.1) or largest > 10)
    if is_certain or _most(late, 0.03) or largest > 1:
        huge = [step for steps in sizes for step, size in enumerate(steps) if size > 10]
        yield Fact("learning_rate", WHOLE, is_certain, min(huge, default=0), f"largest step {largest:.2g}")


def _misfits(head: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What is certainly and what is arguably wrong with a head."""
    certain: list[str] = []
    arguable: list[str] = []
    if head["is_softmax"] and head["units"] == 1:
        certain.append("softmax over one value")
    for name, share in head["beyond"].items():
        (certain if share >= 0.01 else arguable).append(f"{share:.0%} of the targets: {name}")
    arguable += [f"{share:.0%} of the targets: {name}" for name, share in head["slightly_beyond"].items() if share > 0]
    if head["loss"] in ("crossentropy", "sparse") and not head["is_probability"]:
        arguable.append(f"cross entropy of {head['activation']}")
    return certain, arguable


def _are_layers_finite(moment: Mapping[str, Any]) -> bool:
    return not any(
        layer.get(figure, 0) for layer in moment["layers"].values() for figure in ("nonfinite", "weights_nonfinite")
    )


def _trained(measured: Measurements) -> list[str]:
    return [layer for layer, known in measured.layers.items() if known["trained"]]


def _most(values: Sequence[float], limit: float) -> bool:
    return sum(value > limit for value in values) > len(values) / 2


def _number(value: Any, missing: float = math.nan) -> float:
    return missing if value is None or math.isnan(value) else float(value)


def _median(values: Sequence[Any]) -> float:
    """Median of the values that are numbers, NaN if there are none."""
    known = [float(value) for value in values if value is not None and not math.isnan(value)]
    return float(np.median(known)) if known else math.nan
