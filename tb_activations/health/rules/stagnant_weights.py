"""Trainable weights that do not change, or that change too much in every step."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.accumulation import has_waited_long, is_waiting
from tb_activations.health.rules.base import (
    ANYWHERE,
    BACKWARD,
    HERE,
    Answers,
    AnyFinding,
    Cause,
    Earlier,
    Evidence,
    Explanation,
    Label,
    LayerRule,
    OpenFinding,
    Sign,
    Where,
    either,
    limit_in_words,
    outcomes_of,
)
from tb_activations.health.rules.handed import learners, left_out
from tb_activations.health.rules.kernels import has_size, kernel_steps
from tb_activations.health.rules.outputs import unweighted
from tb_activations.health.rules.progress import is_falling, is_warming_up
from tb_activations.health.rules.rates import GRADIENT_TOO_SMALL, LARGE_STEP, MOST_RATE, USUAL_STEP, rate_now
from tb_activations.health.rules.usual_causes import in_float32
from tb_activations.health.rules.window import has_learned, medians, since
from tb_activations.health.rules.zeroed import zeroed
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number
from tb_activations.records.specs import LayerSpec

HYSTERESIS = 2.0
LATEST = 16
"""Observed steps whose median is the usual size of an update."""

RESTLESS = Sign("restless", "update-to-weight ratio, median of the window's last half")
STILL = Sign("still", "update-to-weight ratio, largest of the window")
LEFT_OUT = Sign("left_out", "weights that the training step differentiates by", "count")

_TOO_FAST = (Cause("exploding_gradient", ANYWHERE), Cause("learning_rate", ANYWHERE))
"""Possible causes of weights that move too fast."""

_NEARER = (Cause("stagnant_weights", Where(behind=True)),)
"""Of several layers in a row that a training step leaves out, the last one stands for all."""

NEAR_ZERO = 0.1
"""Weights whose norm began below this share of the present one began near zero."""

_ROUNDING = 1e-6
"""Weight norms with a smaller relative difference are equal within the precision of float32."""


@dataclasses.dataclass(frozen=True)
class StagnantWeights(LayerRule):
    """Update-to-weight ratio ‖w_after - w_before‖ / ‖w_before‖ of all weights of a layer taken together.

    Attributes:
        still: the weights do not move if no step of the window was larger than this.
        still_learned: the same once the loss has fallen, because trained networks take small steps.
        fast: the weights move too fast if the median step of the last half of the window is larger than this.
        min_checks: observed steps needed before weights count as stuck.
        settled: observed steps needed before weights count as thrashing, because weights that grow from zero take
            large steps at first.
        decayed: a learning rate below this share of its peak was lowered on purpose.
    """

    still: float = 1e-6
    still_learned: float = 1e-9
    fast: float = 0.1
    min_checks: float = 10
    settled: float = 24
    decayed: float = 0.01

    id: ClassVar[str] = "stagnant_weights"
    title: ClassVar[str] = "Stuck or thrashing weights"
    why: ClassVar[str] = (
        "Weights that do not move take no part in training; weights that move too far in a step never settle."
    )
    signs: ClassVar[tuple[Sign, ...]] = (STILL, RESTLESS, LEFT_OUT)
    causes: ClassVar[tuple[Cause, ...]] = (
        Cause("learning_rate", ANYWHERE),
        Cause("unfit_head", BACKWARD),
        Cause("poor_init", BACKWARD),
        Cause("dead_units", BACKWARD),
        Cause("saturated_units", BACKWARD),
        Cause("stuck_gates", BACKWARD),
        Cause("collapsed_layer", BACKWARD),
        Cause("no_gradient", HERE),
        Cause("vanishing_gradient", HERE),
        # Weights that one step has made a thousand times as large hardly move afterwards.
        Cause("exploding_gradient", ANYWHERE),
    )
    source: ClassVar[str] = (
        "update-to-weight ratio about 1e-3 (CS231n); Ben Braiek & Khomh 2023 (1e-4 to 1e-1); limits far outside "
        "what healthy trainings reach"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "still": (0, 1),
        "still_learned": (0, 1),
        "fast": (0, 1e9),
        "min_checks": (2, 32),
        "settled": (2, 1e9),
        "decayed": (0, 1),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "still": Label("Stuck: update ratio below"),
        "still_learned": Label("Stuck once the loss has fallen: update ratio below"),
        "fast": Label("Thrashing: median update ratio above"),
        "min_checks": Label("Observed steps needed for stuck", "steps"),
        "settled": Label("Observed steps needed for thrashing", "steps"),
        "decayed": Label("Lowered on purpose: rate below this part of its peak", "share"),
    }
    lines: ClassVar[Mapping[str, tuple[str, ...]]] = {"update_ratio": ("still", "fast")}

    def judge(self, history: History, earlier: Earlier) -> Answers:
        steps = history.stat("update_ratio")
        ratios, _ = history.once_a_step("median steps", lambda _: medians(_usual_steps(history)))
        learned = has_learned(history)
        limit = self.still_learned if learned else self.still
        has_moved = _moves_unseen(history, limit)
        is_sure = (np.count_nonzero(~np.isnan(steps), axis=0) >= self.min_checks) & np.isfinite(ratios)
        is_known = either(np.zeros(len(ratios), bool), earlier)
        # An optimizer that adds up gradients is hardly ever observed when it changes the weights.
        is_sure |= is_known & has_moved
        is_judged = history.is_trained & is_sure
        outcomes = outcomes_of((~history.is_trained, Outcome.NOT_APPLICABLE), (~is_sure, Outcome.INSUFFICIENT_DATA))
        slack = np.where(is_known, HYSTERESIS, 1)
        is_fast = is_judged & has_size(history) & (ratios > self.fast / slack) & (history.checks >= self.settled)
        is_fast &= ~_grows_from_zero(history)
        largest = np.fmax.reduce(steps, axis=0).astype(np.float64)
        is_still = is_judged & ~is_fast & ~((largest >= limit * slack) | has_moved)
        if is_waiting(history):
            # The updates of steps without one are unknown.
            is_still, largest = history.is_trained & has_waited_long(history), np.zeros(len(largest))
        found = {}
        # Weights thrash if they move far without getting anywhere: while the loss falls, long steps lead somewhere.
        is_learning = learned or is_falling(history)
        for row in np.flatnonzero(is_fast).tolist():
            found[row] = self._restless(history, row, float(ratios[row]), earlier.get(row), learned=is_learning)
        if self._is_on_purpose(history):
            outcomes[is_still] = Outcome.NOT_APPLICABLE
        elif is_warming_up(history):
            outcomes[is_still] = Outcome.INSUFFICIENT_DATA
        else:
            outcomes[is_still & zeroed(history)] = Outcome.NOT_APPLICABLE
            is_still &= ~zeroed(history)
            sizes, is_meant = largest.tolist(), unweighted(history).tolist()
            for row in np.flatnonzero(is_still).tolist():
                found[row] = self._still(history, row, sizes[row], limit, earlier.get(row), is_meant=is_meant[row])
        if history.checks >= self.min_checks:
            missing = np.flatnonzero(left_out(history)).tolist()
            found |= {row: _left_out(history, row, earlier.get(row)) for row in missing}
        return Answers(outcomes, found)

    def _is_on_purpose(self, history: History) -> bool:
        rates = history.total("learning_rate")
        return bool(np.nanmax(rates, initial=0.0) < self.decayed * np.nan_to_num(history.peak_learning_rate))

    @staticmethod
    def _still(
        history: History, row: int, largest: float, limit: float, earlier: OpenFinding | None, *, is_meant: bool
    ) -> Evidence:
        # Where the loss does not count what a layer leads to, its weights are to stay as they are.
        severity = Severity.PROBLEM if largest == 0 else Severity.WARNING
        severity = Severity.NOTE if is_meant else severity
        layer, rate = history.spec.layers[row], rate_now(history)
        closing = limit * HYSTERESIS
        if earlier:
            began, checks = earlier.since_step, earlier.checks + 1
        elif is_waiting(history):
            began, checks = history.first_step, history.checks
        else:
            flags = history.stat("update_ratio")[:, row] < closing
            began, checks = since(history, flags), int(np.count_nonzero(flags))
        return Evidence(
            severity=severity,
            sign=STILL,
            value=largest,
            threshold=limit,
            samples=_samples(history),
            checks=checks,
            since_step=began,
            explain=functools.partial(_explain_still, layer, largest, limit, began, rate),
            closing_threshold=closing,
        )

    def _restless(
        self, history: History, row: int, ratio: float, earlier: OpenFinding | None, *, learned: bool
    ) -> Evidence:
        layer, rate = history.spec.layers[row], rate_now(history)
        closing = self.fast / HYSTERESIS
        if earlier:
            began, checks = earlier.since_step, earlier.checks + 1
        else:
            flags = history.stat("update_ratio")[:, row] > closing
            began, checks = since(history, flags), int(np.count_nonzero(flags))
        return Evidence(
            severity=Severity.NOTE if learned else Severity.WARNING,
            sign=RESTLESS,
            value=ratio,
            threshold=self.fast,
            samples=_samples(history),
            checks=checks,
            since_step=began,
            explain=functools.partial(_explain_restless, layer, ratio, self.fast, began, rate, learned=learned),
            closing_threshold=closing,
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        if finding.sign == LEFT_OUT.id:
            return "the training step leaves its weights out"
        if finding.sign == RESTLESS.id:
            return f"weights change by {number(finding.value)} of their norm per step"
        return "weights do not move"

    @classmethod
    def causes_of(cls, sign: str) -> tuple[Cause, ...]:
        return {RESTLESS.id: _TOO_FAST, LEFT_OUT.id: _NEARER}.get(sign, cls.causes)

    @staticmethod
    def can_cause(finding: AnyFinding, effect: str) -> bool:
        is_alike = effect != "stagnant_weights" or finding.sign == LEFT_OUT.id
        return is_alike and finding.severity is not Severity.NOTE


def _usual_steps(history: History) -> NDArray[np.float64]:
    """`[checks, layers]`: the latest update ratios of all weights of a layer, or of its kernels if that is smaller.

    A bias that grows from zero inflates the former, a small kernel in the same layer as a large one the latter.
    """
    steps: NDArray[np.float64] = np.fmin(kernel_steps(history, LATEST), history.stat("update_ratio")[-LATEST:])
    return steps


def _moves_unseen(history: History, limit: float) -> NDArray[np.bool_]:
    """`[layers]`: whether weights changed between observed steps but not in them, as with gradient accumulation.

    `limit` is the change per step, relative to the weights, up to which they stand still: over thousands of steps, that
    adds up.
    """
    norms = history.stat("weight_norm").astype(np.float64)
    steps = max(int(history.steps[-1] - history.steps[0]), 1)
    most, least = np.fmax.reduce(norms, axis=0), np.fmin.reduce(norms, axis=0)
    with np.errstate(invalid="ignore"):
        result: NDArray[np.bool_] = most - least > max(_ROUNDING, limit * steps) * most
    return result


def _grows_from_zero(history: History) -> NDArray[np.bool_]:
    """`[layers]`: whether weights that began near zero still grow by a multiple within the window."""
    norms, first = history.stat("weight_norm"), history.first
    if first is None:
        return np.zeros(norms.shape[1], bool)
    with np.errstate(invalid="ignore"):
        result: NDArray[np.bool_] = (first.layer("weight_norm") < NEAR_ZERO * norms[-1]) & (norms[-1] > 2 * norms[0])
    return result


def _samples(history: History) -> int:
    return history.once_a_step("samples", lambda _: int(np.nansum(history.total("samples"))))


def _left_out(history: History, row: int, earlier: OpenFinding | None) -> Evidence:
    layers = history.spec.layers
    learning = np.flatnonzero(learners(history)[row])
    uses = (
        f"{layers[learning[0]].name} learns from their outputs" if learning.size else "the layers before it are trained"
    )
    return Evidence(
        severity=Severity.WARNING,
        sign=LEFT_OUT,
        value=0.0,
        threshold=1.0,
        samples=_samples(history),
        checks=earlier.checks + 1 if earlier else history.checks,
        since_step=history.first_step,
        explain=functools.partial(_explain_left_out, layers[row].name, uses, history.first_step),
    )


def _explain_left_out(layer: str, uses: str, began: int) -> Explanation:
    return Explanation(
        message=(
            f"The weights of {layer} do not move: the training step differentiates by 0 of them (threshold 1), since "
            f"step {began}, although they are trainable and {uses}."
        ),
        might_be_wrong=(
            "A training step may leave them out on purpose, or assign them by hand. Set trainable=False to clear this "
            "finding."
        ),
        advice=(
            f"Check the list of weights in the training step: model.trainable_variables has those of {layer}, if that "
            "layer creates them with add_weight. If they are to stay as they are, set trainable=False."
        ),
    )


def _explain_still(layer: LayerSpec, largest: float, limit: float, began: int, rate: float) -> Explanation:
    words = limit_in_words(limit, limit * HYSTERESIS, is_eased=largest >= limit)
    return Explanation(
        message=(
            f"The weights of {layer.name} do not move: no step changed them by more than {number(largest)} of "
            "their "
            f"norm ({words}), since step {began}. The learning rate is {number(rate)}."
        ),
        might_be_wrong=(
            "The loss may be as low as possible, or the optimizer skips this layer on purpose. Layers frozen with "
            "trainable=False are not judged."
        ),
        advice=_faster(layer, largest, rate),
    )


def _explain_restless(
    layer: LayerSpec, ratio: float, limit: float, began: int, rate: float, *, learned: bool
) -> Explanation:
    words = limit_in_words(limit, limit / HYSTERESIS, is_eased=ratio <= limit)
    return Explanation(
        message=(
            f"The weights of {layer.name} move too fast: half of the steps changed them by {number(ratio)} of "
            "their "
            f"norm or more ({words}), since step {began}. The learning rate is {number(rate)}."
        ),
        might_be_wrong=(
            "The loss is falling anyway. Small weights that grow from zero take large steps for a while."
            if learned
            else "Small weights that grow from zero (zero-initialized branches) take large steps for a while."
        ),
        advice=_slower(layer, rate, ratio),
    )


def _faster(layer: LayerSpec, largest: float, rate: float) -> str:
    if precision := in_float32(layer.dtype, layer.name):
        return f"{precision}Then check the learning rate."
    advice = (
        f"Check the learning rate ({number(rate)}) and its schedule, whether the optimizer gets the weights of "
        f"{layer.name}, and whether a gradient reaches it: without one no learning rate helps."
    )
    if not largest > 0:
        return advice
    if rate * LARGE_STEP / largest > MOST_RATE:
        return f"{GRADIENT_TOO_SMALL} {advice}"
    better = number(rate * LARGE_STEP / largest)
    return (
        f"Raise the learning rate: {better} makes the largest steps about {number(LARGE_STEP)} of the weights. {advice}"
    )


def _slower(layer: LayerSpec, rate: float, ratio: float) -> str:
    return (
        f"Steps of about {number(USUAL_STEP)} of the norm are usual: a learning rate near "
        f"{number(rate * USUAL_STEP / ratio)} instead of "
        f"{number(rate)} makes such steps in {layer.name}. If only the beginning is rough, clip gradients "
        "(clipnorm=1.0) "
        "or warm up."
    )
