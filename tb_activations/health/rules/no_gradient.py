"""Trainable layers that no gradient reaches at all, because they are cut off from the loss."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.base import (
    ANYWHERE,
    BACKWARD,
    Answers,
    Cause,
    Earlier,
    Evidence,
    Explanation,
    Label,
    LayerRule,
    Leader,
    OpenFinding,
    Sign,
    outcomes_of,
)
from tb_activations.health.rules.handed import handed, left_out
from tb_activations.health.rules.outputs import unweighted
from tb_activations.health.rules.window import since
from tb_activations.health.rules.zeroed import zeroed
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import GradientCut, LayerSpec

CUT = Sign("cut", "weights with a gradient", "count")
ZERO = Sign("zero", "largest gradient norm of the window")
IDLE = Sign("idle", "observed steps in which the layer ran", "count")

IDLE_CHECKS = 32
"""Observed steps without a call after which a layer counts as one that never runs."""

UNWEIGHTED, ZEROED = "unweighted", "zeroed"
"""Why a gradient of zero is meant to be: the loss does not count what the layer leads to, or the step zeroes it."""

_UNSURE = Outcome.INSUFFICIENT_DATA


@dataclasses.dataclass(frozen=True)
class NoGradient(LayerRule):
    """Attributes:
    min_checks: observed steps needed before a layer counts as cut off.
    min_zero_checks: the same for a layer whose gradient is exactly zero in all of them.
    """

    min_checks: float = 3
    min_zero_checks: float = 10

    id: ClassVar[str] = "no_gradient"
    title: ClassVar[str] = "No gradient"
    why: ClassVar[str] = "Trainable weights without a gradient never change; often the path to the loss is cut."
    signs: ClassVar[tuple[Sign, ...]] = (CUT, ZERO, IDLE)
    causes: ClassVar[tuple[Cause, ...]] = (
        Cause("unfit_head", BACKWARD),
        Cause("poor_init", BACKWARD),
        # A layer whose inputs are all zero has no gradient for its kernel either.
        Cause("dead_units", ANYWHERE),
        Cause("saturated_units", BACKWARD),
        Cause("stuck_gates", BACKWARD),
        Cause("collapsed_layer", BACKWARD),
    )
    leader: ClassVar[Leader | None] = "nearest_to_loss"
    source: ClassVar[str] = (
        "automatic differentiation gives None across stop_gradient, argmax, rounding and off the path to the loss; "
        "exact zeros: Ben Braiek & Khomh 2023"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"min_checks": (1, 1e6), "min_zero_checks": (2, 32)}
    labels: ClassVar[Mapping[str, Label]] = {
        "min_checks": Label("Observed steps needed, no gradient at all", "steps"),
        "min_zero_checks": Label("Observed steps needed, gradient exactly zero", "steps"),
    }

    def judge(self, history: History, earlier: Earlier) -> Answers:
        known = handed(history)
        # The norm covers finite elements only. Without any it is zero, which does not mean a zero gradient.
        is_lost = history.stat("weight_gradient_nonfinite") > 0
        norms = np.where(is_lost, np.nan, history.stat("weight_gradient_norm"))
        # Where the loss is exactly zero, nothing is left to learn and a zero gradient is right: all samples cleared
        # the margin of a hinge or of a triplet.
        has_loss = np.nan_to_num(history.losses, nan=1.0) != 0
        is_measured = ~np.isnan(norms) & has_loss[:, None]
        # Places among the measured steps, counted from the latest one.
        places = np.cumsum(is_measured[::-1], axis=0)[::-1]
        has_moved = (is_measured & (places <= int(self.min_zero_checks)) & (norms > 0)).any(axis=0)
        # What is open once weights are lost stays as it was.
        is_sure = (np.count_nonzero(is_measured, axis=0) >= self.min_zero_checks) & (not history.has_lost_weights)
        is_connected = known.is_judged & ~known.is_cut
        outcomes = outcomes_of(
            (~known.is_judged, Outcome.NOT_APPLICABLE), (is_connected & has_moved, Outcome.OK), otherwise=_UNSURE
        )
        why = np.where(unweighted(history), UNWEIGHTED, np.where(zeroed(history), ZEROED, "")).tolist()
        lone = history.once_a_step("lone normalizations", _lone_normalizations)
        samples = history.row_sums.astype(np.int64).tolist()
        found = {
            row: _zero(history, row, samples[row], norms, earlier.get(row), why[row], _lone_behind(history, row, lone))
            for row in np.flatnonzero(is_connected & ~has_moved & is_sure).tolist()
        }
        # Weights that the step leaves out, and what it trains uses, have a gradient that nobody asks for.
        is_left_out = left_out(history)
        outcomes[is_left_out] = Outcome.NOT_APPLICABLE
        if history.checks >= self.min_checks:
            cut = np.flatnonzero(known.is_judged & known.is_cut & ~is_left_out).tolist()
            found |= {row: _cut(history, row, known.counts, earlier.get(row)) for row in cut}
        idle = known.is_judged & (history.stat("elements") == 0).all(axis=0)
        if len(history.steps) >= IDLE_CHECKS:
            found |= {row: _idle(history, row, earlier.get(row)) for row in np.flatnonzero(idle).tolist()}
        return Answers(outcomes, found)

    @staticmethod
    def headline(finding: Finding) -> str:
        return {ZERO.id: "gradient is exactly zero", IDLE.id: "never runs"}.get(finding.sign, "no gradient arrives")


def _idle(history: History, row: int, earlier: OpenFinding | None) -> Evidence:
    began, kept = earlier.since_step if earlier else int(history.steps[0]), len(history.steps)
    return Evidence(
        # A branch for inference, or for rare inputs, need not run in training.
        severity=Severity.NOTE,
        sign=IDLE,
        value=0.0,
        threshold=1.0,
        samples=int(np.nansum(history.total("samples"))),
        checks=earlier.checks + 1 if earlier else kept,
        since_step=began,
        explain=functools.partial(_explain_idle, history.spec.layers[row], kept, began),
    )


def _explain_idle(layer: LayerSpec, checks: int, began: int) -> Explanation:
    return Explanation(
        message=(
            f"{layer.name} never runs: it was called in 0 of the last {checks} observed steps (threshold 1), since "
            f"step {began}. Its weights do not train."
        ),
        might_be_wrong="A branch that only serves inference or rare inputs looks the same.",
        advice=(
            f"Check the condition that leads to {layer.name}, or the gate that chooses among experts: one that never "
            "chooses an expert also gives it nothing to learn from. Noise on the gate or a loss for balance helps."
        ),
    )


def _zero(
    history: History,
    row: int,
    samples: int,
    norms: NDArray[np.float32],
    earlier: OpenFinding | None,
    why: str,
    lone: str,
) -> Evidence:
    if earlier:
        began, checks = earlier.since_step, earlier.checks + 1
    else:
        flags = ~(norms[:, row] > 0)
        began, checks = since(history, flags), int(np.count_nonzero(flags))
    return Evidence(
        severity=Severity.NOTE if why else Severity.PROBLEM,
        sign=ZERO,
        value=0.0,
        threshold=0.0,
        samples=samples,
        checks=checks,
        since_step=began,
        explain=functools.partial(_explain_zero, history.spec.layers[row], began, lone, why),
    )


def _lone_behind(history: History, row: int, lone: NDArray[np.int64]) -> str:
    """A batch normalization between a layer and the loss that gets one value per step and channel, "" if none does.

    Its mean is that value, so its output is the same for any input, and nothing before it has a gradient.
    """
    if not lone.size:
        return ""
    after = lone[history.graph.reaches[row, lone]]
    return history.spec.layers[int(after[0])].name if after.size else ""


def _lone_normalizations(history: History) -> NDArray[np.int64]:
    """The rows of batch normalizations with one value per step and channel."""
    is_normalizing = np.array([layer.class_name == "BatchNormalization" for layer in history.spec.layers], bool)
    return np.flatnonzero(is_normalizing & (np.fmax.reduce(history.rows, axis=0) == 1))


def _explain_zero(layer: LayerSpec, began: int, lone: str, why: str) -> Explanation:
    if why == ZEROED:
        return Explanation(
            message=(
                f"The gradient of every weight of {layer.name} is exactly zero (threshold: anything above 0), since "
                f"step {began}: one arrives at its outputs, so the training step replaces it by zeros."
            ),
            might_be_wrong="A training step that thaws one layer after the other does this on purpose.",
            advice=(
                f"Check what the training step multiplies gradients of {layer.name} by. If the layer is to stay as it "
                "is, set trainable=False, which also saves the time."
            ),
        )
    if why == UNWEIGHTED:
        return Explanation(
            message=(
                f"The gradient of every weight of {layer.name} is exactly zero (threshold: anything above 0), since "
                f"step {began}: the loss does not depend on the outputs that it leads to."
            ),
            might_be_wrong="A part of the loss whose weight is 0 for some epochs is meant to have no gradient.",
            advice=f"Check the weight of the loss on the output of {layer.name}, and the schedule that changes it.",
        )
    return Explanation(
        message=(
            f"The gradient of every weight of {layer.name} is exactly zero (threshold: anything above 0), since "
            f"step {began}."
        ),
        might_be_wrong=(
            "A loss with a flat floor (hinge, clipped) has zero gradient once every sample has cleared it. So has "
            "a branch that is switched off for a while."
        ),
        advice=(
            f"Give {lone} more than one sample per step, or replace it by LayerNormalization: a batch normalization "
            "subtracts a single sample from itself, so that it outputs the same whatever comes in."
            if lone
            else f"Check between {layer.name} and the loss for a layer of dead units, a product with zeros, a mask "
            "that hides everything, rounding, sign or comparison, and saturation at the limits of float32."
        ),
    )


def _cut(history: History, row: int, handed_to: Mapping[str, int], earlier: OpenFinding | None) -> Evidence:
    layer = history.spec.layers[row]
    handed = handed_to.get(layer.name, 0)
    return Evidence(
        # Only a note for weights outside the optimizer: the training step may leave them out on purpose.
        severity=Severity.PROBLEM if handed else Severity.NOTE,
        sign=CUT,
        value=0.0,
        threshold=1.0,
        samples=int(history.row_sums[row]),
        checks=earlier.checks + 1 if earlier else history.checks,
        since_step=history.first_step,
        explain=functools.partial(
            _explain_cut, layer, handed, history.first_step, history.once("gradient cuts", _cuts).get(layer.name)
        ),
    )


def _cuts(history: History) -> Mapping[str, GradientCut]:
    return {cut.layer: cut for cut in history.spec.gradient_cuts}


_SMOOTH = "use values that have one in training, or pass the gradient straight through: x + stop_gradient(changed - x)."
_REMEDIES: Mapping[str, str] = {
    "stop_gradient": "remove it, or set trainable=False if the layers before it are not meant to train.",
    "argmax": "use softmax in training, or a Gumbel softmax, and argmax only for predictions.",
    "argmin": "use softmax of the negative values in training, and argmin only for predictions.",
    "comparison": "use a sigmoid of the difference in training, or pass the gradient straight through.",
    "function in numpy": "compute it with keras.ops, which has gradients.",
}
"""By kind of cut, what to do; anything else is made smooth or passed over."""


def _explain_cut(layer: LayerSpec, handed: int, began: int, cut: GradientCut | None) -> Explanation:
    what = (
        f"none of its {handed} trainable weights has one"
        if handed
        else "the training step does not differentiate by its trainable weights"
    )
    return Explanation(
        message=(
            f"No gradient reaches {layer.name}: {what} (threshold 1 weight, found 0), since step {began}."
            f"{_reason(layer, cut)}"
        ),
        might_be_wrong=(
            "A layer that is not meant to train, or whose output only serves another loss. Set trainable=False to "
            "clear this finding."
        ),
        advice=_advice(layer, cut),
    )


def _advice(layer: LayerSpec, cut: GradientCut | None) -> str:
    if cut is None:
        return (
            f"Check between {layer.name} and the loss for stop_gradient, argmax, rounding, a cast to integers or "
            "numpy, or a result that the loss never uses."
        )
    if not cut.kind:
        return (
            f"Let the loss use the outputs of {layer.name}, for example as an output of the model with a loss of its "
            "own, or remove the layer."
        )
    where = f"In {cut.place}" if cut.place else f"Behind {layer.name}"
    return f"{where}: {_REMEDIES.get(cut.kind, _SMOOTH)}"


def _reason(layer: LayerSpec, cut: GradientCut | None) -> str:
    """A sentence after a space, "" if the cut is not known."""
    if cut is None:
        return ""
    if not cut.kind:
        return f" Nothing in the loss is computed from the outputs of {layer.name}."
    where = f" in {cut.place}" if cut.place else f" behind {layer.name}"
    return f" The {cut.kind}{where} has no gradient."
