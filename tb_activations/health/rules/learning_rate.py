"""A learning rate that is zero, too low, lowered too early, or too high."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.accumulation import has_waited_long, is_waiting, steps_of_update
from tb_activations.health.rules.base import (
    AnyFinding,
    Evidence,
    Explanation,
    Judged,
    Label,
    OpenFinding,
    Sign,
    Told,
    TrainingRule,
)
from tb_activations.health.rules.kernels import is_grown, kernel_steps
from tb_activations.health.rules.progress import (
    constant_loss,
    is_falling,
    is_stuck,
    is_warming_up,
    recent_loss,
    untrained_loss,
)
from tb_activations.health.rules.rates import (
    GRADIENT_TOO_SMALL,
    LARGE_STEP,
    MOST_RATE,
    SAFE_STEP,
    USUAL_STEP,
    clipping,
    is_of_any_gradient,
    lower_rate,
    rate_before_rise,
)
from tb_activations.health.rules.usual_causes import LOW_PRECISION, in_float32, to_standardize
from tb_activations.health.rules.window import had_learned, has_learned, medians, trailing
from tb_activations.records.finding import WHOLE, Finding, Outcome, Severity
from tb_activations.records.formatting import number, percent

ZERO = Sign("zero", "learning rate")
TOO_LOW = Sign("too_low", "update-to-weight ratio, largest of all layers")
DECAYED = Sign("decayed", "learning rate relative to its peak", "share")
TOO_HIGH = Sign("too_high", "update-to-weight ratio, median of all layers")
LEAP = Sign("leap", "largest update-to-weight ratio of a kernel, median of all layers")
WAITING = Sign("waiting", "steps whose gradients add up to one update", "count")
OVERSHOOT = Sign("overshoot", "cosine between gradient and momentum, median of all kernels")

LATEST = 16
"""Observed steps whose median is the usual size of an update."""

_NO_GRADIENT = 1e-6
"""If the elasticity of every kernel is smaller, missing gradients keep the weights still, not the learning rate."""

ZERO_CHECKS = 3


@dataclasses.dataclass(frozen=True)
class LearningRate(TrainingRule):
    """Judged only while the loss is no better than without training.

    Attributes:
        low: limit of the largest update-to-weight ratio of any kernel in the window.
        decayed: limit of the learning rate relative to its peak.
        high: limit of the median update-to-weight ratio of half of the layers.
        leap: limit of the largest step of half of the layers, relative to the kernel, where the learning rate alone
            decides how far a step goes. One such step replaces what the weights were.
        against: limit of the cosine between gradient and momentum. Steps that go beyond the minimum again and again
            turn every gradient against those before it.
        min_checks: observed steps needed.
        settled: observed steps needed before steps can be too large, because many networks take large steps at first.
    """

    low: float = 1e-6
    decayed: float = 0.01
    high: float = 0.1
    leap: float = 1.0
    against: float = -0.5
    min_checks: float = 16
    settled: float = 32

    id: ClassVar[str] = "learning_rate"
    title: ClassVar[str] = "Learning rate"
    why: ClassVar[str] = "With the wrong step size, no architecture learns."
    signs: ClassVar[tuple[Sign, ...]] = (ZERO, TOO_LOW, DECAYED, TOO_HIGH, LEAP, OVERSHOOT, WAITING)
    source: ClassVar[str] = (
        "update-to-weight ratio about 1e-3 (CS231n); limits far outside what healthy trainings reach"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "low": (0, 1),
        "decayed": (0, 1),
        "high": (0, 1e9),
        "leap": (0, 1e9),
        "against": (-1, 1),
        "min_checks": (3, 32),
        "settled": (3, 1e9),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "low": Label("Too small: largest update ratio below"),
        "decayed": Label("Lowered on purpose: rate below this part of its peak", "share"),
        "high": Label("Too large: median update ratio above"),
        "leap": Label("Too large: largest update ratio above"),
        "against": Label("Too large: cosine of gradient and momentum below"),
        "min_checks": Label("Observed steps needed", "steps"),
        "settled": Label("Observed steps needed for too large", "steps"),
    }

    def judge(self, history: History, earlier: OpenFinding | None, known: Sequence[OpenFinding]) -> Judged:
        rates = history.total("learning_rate")
        if not any(layer.trainable for layer in history.spec.layers) or not np.isfinite(rates[-1]):
            return Outcome.NOT_APPLICABLE
        if is_waiting(history):
            if not has_waited_long(history):
                return Outcome.INSUFFICIENT_DATA
            taken = history.step + 1
            return _evidence(history, WAITING, steps_of_update(history), taken, history.first_step, earlier)
        is_idle = trailing(rates == 0) >= ZERO_CHECKS
        if history.checks < self.min_checks and not is_idle:
            return Outcome.INSUFFICIENT_DATA
        if not (is_idle and history.checks < self.min_checks) and not is_stuck(history):
            return Outcome.OK
        steps = kernel_steps(history, LATEST)
        if is_idle:
            return _evidence(history, ZERO, 0.0, 0.0, int(history.steps[-trailing(rates == 0)]), earlier)
        ratio = float(rates[-1] / history.peak_learning_rate)
        if ratio < self.decayed and not is_warming_up(history):
            # What was learned before was lost to something else: a spike of the rate, an explosion.
            if had_learned(history):
                return Outcome.OK
            began = int(history.steps[-trailing(rates < self.decayed * history.peak_learning_rate)])
            return _evidence(history, DECAYED, ratio, self.decayed, began, earlier)
        return self._by_steps(history, steps, earlier, known)

    def _by_steps(
        self, history: History, steps: NDArray[np.float64], earlier: OpenFinding | None, known: Sequence[OpenFinding]
    ) -> Judged:
        largest = float(np.fmax.reduce(steps, axis=None, initial=np.nan))
        if largest < self.low and not is_warming_up(history) and _has_gradient(history):
            return _evidence(history, TOO_LOW, largest, self.low, int(history.steps[-len(steps)]), earlier)
        leap = self._largest_leap(history)
        # A network that begins to learn may take large steps at first.
        is_early = history.checks < self.settled and is_falling(history)
        is_lasting = earlier is not None and earlier.sign == LEAP.id and not has_learned(history)
        if is_lasting or (leap > self.leap and not is_early):
            value = leap if earlier is None or leap > self.leap else earlier.value
            return _evidence(history, LEAP, value, self.leap, int(history.steps[0]), earlier)
        usual, _ = medians(steps)
        usual = usual[np.isfinite(usual)]
        middle = float(np.median(usual)) if usual.size else np.nan
        # An explosion has its own finding, which names the layer.
        has_exploded = any(one.rule == "exploding_gradient" and one.severity is Severity.PROBLEM for one in known)
        if has_exploded or has_learned(history) or history.checks < self.settled:
            return Outcome.OK
        if middle > self.high:
            return _evidence(history, TOO_HIGH, middle, self.high, int(history.steps[-len(steps)]), earlier)
        cosine, most = _cosines(history)
        # Where a layer blocks the gradient, little but noise is left of it.
        is_blocked = any(one.severity is Severity.PROBLEM and one.layer != WHOLE for one in known)
        # Without a baseline, a loss that has not risen may be at its floor, where gradients point to and fro.
        is_worse = np.isfinite(constant_loss(history)) or recent_loss(history) > history.initial_loss
        # Batches that each push all outputs up or down give large cosines of both signs.
        if cosine < self.against and most < 0 and is_worse and not is_blocked:
            return _evidence(history, OVERSHOOT, cosine, self.against, int(history.steps[-len(steps)]), earlier)
        return Outcome.OK

    def _largest_leap(self, history: History) -> float:
        """The median over layers of the largest step in the window of kernels that were not near zero.

        NaN where the optimizer's steps depend on the size of the gradient: what explodes there may be the gradient.
        """
        if not is_of_any_gradient(history):
            return np.nan
        kept = len(history.steps)
        largest = np.fmax.reduce(kernel_steps(history, kept, is_grown(history, kept)), axis=0)
        known = largest[np.isfinite(largest)]
        return float(np.median(known)) if known.size else np.nan

    @staticmethod
    def can_cause(finding: AnyFinding, effect: str) -> bool:
        # Only steps as large as the weights explain an explosion.
        return finding.severity is not Severity.NOTE and (effect != "exploding_gradient" or finding.sign == LEAP.id)

    @staticmethod
    def headline(finding: Finding) -> str:
        return {
            ZERO.id: "learning rate is zero",
            TOO_LOW.id: "learning rate too low: no weight moves",
            DECAYED.id: "learning rate lowered before anything was learned",
            TOO_HIGH.id: f"learning rate too high: steps of {number(finding.value)} of the weights",
            LEAP.id: f"learning rate too high: a step of {number(finding.value)} times the weights",
            OVERSHOOT.id: "learning rate too high: steps overshoot",
            WAITING.id: f"no update before {number(finding.value)} steps",
        }.get(finding.sign, "learning rate")


def _has_gradient(history: History) -> bool:
    """Whether a gradient arrives at some kernel; biases get one even behind layers that pass nothing on."""
    is_kernel = _is_kernel(history)
    norms = history.weight_stat("gradient_norm") * history.weight_stat("weight_norm")
    losses = np.abs(history.losses)[:, None]
    elasticity = np.full(norms.shape, np.nan)
    np.divide(norms, losses, out=elasticity, where=np.isfinite(norms) & np.isfinite(losses) & (losses > 0))
    values, _ = medians(elasticity[-LATEST:, is_kernel])
    return bool(np.fmax.reduce(values, initial=np.nan) > _NO_GRADIENT)


def _is_kernel(history: History) -> NDArray[np.bool_]:
    return np.array([len(weight.shape) > 1 for weight in history.spec.weights], bool)


def _cosines(history: History) -> tuple[float, float]:
    """Median and upper quartile, over kernels and the latest checks, of the cosine between gradient and momentum.

    NaN if not measured.
    """
    cosines = history.weight_stat("momentum_cosine")[-LATEST:, _is_kernel(history)]
    known = cosines[np.isfinite(cosines)]
    return (float(np.median(known)), float(np.quantile(known, 0.75))) if known.size else (np.nan, np.nan)


def _evidence(
    history: History, sign: Sign, value: float, threshold: float, began: int, earlier: OpenFinding | None
) -> Evidence:
    rate, peak = history.total("learning_rate")[-1], history.peak_learning_rate
    began = earlier.since_step if earlier and earlier.sign == sign.id else began
    what = {
        ZERO.id: "The learning rate is 0",
        TOO_LOW.id: (
            f"The learning rate is too low: at {number(rate)}, no step moved a kernel by more than {number(value)} of "
            f"its norm (threshold {number(threshold)})"
        ),
        DECAYED.id: (
            f"The learning rate has been lowered from {number(peak)} to {number(rate)}, {percent(value)} of it "
            f"(threshold {percent(threshold)}), before the network has learned anything"
        ),
        TOO_HIGH.id: (
            f"The learning rate is too high: at {number(rate)}, half of the layers move by {number(value)} of their "
            f"norm or more in every step (threshold {number(threshold)})"
        ),
        LEAP.id: (
            f"The learning rate is too high: at {number(peak)}, half of the layers moved by {number(value)} times "
            f"their norm or more in one step (threshold {number(threshold)}), which leaves little of their start"
        ),
        WAITING.id: (
            f"The optimizer adds up the gradients of {number(value)} steps before it changes a weight; after "
            f"{number(threshold)} steps, none has changed"
        ),
        OVERSHOOT.id: (
            f"The learning rate is too high: at {number(rate)}, gradients point against the steps before them (cosine "
            f"{number(value)} with the momentum, threshold {number(threshold)})"
        ),
    }[sign.id]
    words = Explanation(
        message=(
            f"{what}, since step {began}. The loss is {number(recent_loss(history))}; without training it is "
            f"{number(untrained_loss(history))}."
        ),
        might_be_wrong="The loss may have a floor that it started at, such as that of targets that are noise.",
        advice=_advice(history, sign, value, rate, peak),
    )
    return Evidence(
        severity=Severity.PROBLEM,
        sign=sign,
        value=value,
        threshold=threshold,
        samples=int(np.nansum(history.total("samples"))),
        checks=earlier.checks + 1 if earlier else int(np.count_nonzero(history.steps >= began)),
        since_step=began,
        explain=Told(words),
    )


def _advice(history: History, sign: Sign, value: float, rate: float, peak: float) -> str:
    if sign == ZERO:
        return "Set a learning rate above 0 (Adam: 0.001), and check the schedule and the callbacks that change it."
    if sign == WAITING:
        return "Lower gradient_accumulation_steps: an epoch should have many updates. It counts batches, not samples."
    if sign == DECAYED:
        return (
            f"Let the schedule last as long as the training (decay_steps counts steps, not epochs), or start with a "
            f"constant {number(peak)}."
        )
    if sign == TOO_LOW:
        if value > 0 and rate * LARGE_STEP / value > MOST_RATE:
            return f"{_precision(history)}{GRADIENT_TOO_SMALL}"
        better = f" (here about {number(rate * LARGE_STEP / value)})" if value > 0 else ""
        return (
            f"{_precision(history)}Raise the learning rate until the largest steps are about {number(LARGE_STEP)} of "
            f"the weights{better}; Adam starts at 0.001."
        )
    data = to_standardize(history)
    if sign == OVERSHOOT:
        return (
            f"{data}Lower the learning rate (try {number(lower_rate(history))}), and the momentum if it is above 0.9."
        )
    rate, size = (peak, SAFE_STEP) if sign == LEAP else (rate, USUAL_STEP)
    if (before := rate_before_rise(history)) > 0:
        return (
            f"{data}Lower the learning rate: about {number(before)} instead of {number(rate)}, where it was before it "
            f"rose, made small steps."
        )
    return (
        f"{data}Lower the learning rate: about {number(rate * size / value)} instead of {number(rate)} makes steps of "
        f"{number(size)} of the weights. If only the beginning is rough, warm it up or clip gradients "
        f"({clipping(history)})."
    )


def _precision(history: History) -> str:
    """Advice on weights of low precision: steps that round to nothing look like a rate that is too low."""
    kept = [layer.dtype for layer in history.spec.layers if layer.parameters and layer.dtype in LOW_PRECISION]
    return in_float32(kept[0], "all layers") if kept else ""
