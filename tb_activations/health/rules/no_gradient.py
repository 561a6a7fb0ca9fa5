"""Trainable layers that no gradient reaches at all, because they are cut off from the loss."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.base import ANYWHERE, BACKWARD, Cause, Evidence, Judged, Label, LayerRule, Leader, Sign
from tb_activations.health.rules.window import rows_per_unit, since
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import LayerSpec

CUT = Sign("cut", "weights with a gradient", "count")
ZERO = Sign("zero", "largest gradient norm of the window")


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
    signs: ClassVar[tuple[Sign, ...]] = (CUT, ZERO)
    causes: ClassVar[tuple[Cause, ...]] = (
        Cause("unfit_head", BACKWARD),
        Cause("poor_init", BACKWARD),
        # A layer whose inputs are all zero has no gradient for its kernel either.
        Cause("dead_units", ANYWHERE),
        Cause("saturated_units", BACKWARD),
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

    def judge(self, history: History, earlier: Sequence[Finding | None]) -> list[Judged]:
        handed = collections.Counter(weight.layer for weight in history.spec.weights)
        around = {outer for layer in history.spec.layers for outer in _around(layer.name)}
        reached = {weight.layer for weight in history.spec.weights if weight.has_gradient}
        # The norm covers finite elements only. Without any it is zero, which does not mean a zero gradient.
        is_lost = history.stat("weight_gradient_nonfinite") > 0
        norms = np.where(is_lost, np.nan, history.stat("weight_gradient_norm"))
        answers: list[Judged] = []
        for row, layer in enumerate(history.spec.layers):
            if layer.call_site or not layer.trainable or _is_counted_elsewhere(layer, around, handed):
                answers.append(Outcome.NOT_APPLICABLE)
            elif layer.name not in reached and history.spec.weights:
                is_early = history.checks < self.min_checks
                answers.append(Outcome.INSUFFICIENT_DATA if is_early else _cut(history, row, handed, earlier[row]))
            else:
                answers.append(self._judge_zero(history, row, norms[:, row], earlier[row]))
        return answers

    def _judge_zero(self, history: History, row: int, norms: NDArray[np.float32], earlier: Finding | None) -> Judged:
        known = norms[~np.isnan(norms)]
        if known.size and np.any(known[-int(self.min_zero_checks) :] > 0):
            return Outcome.OK
        # If the loss is exactly zero, there is nothing to learn and a zero gradient is right.
        if known.size < self.min_zero_checks or not np.any(np.nan_to_num(history.losses) != 0):
            return Outcome.INSUFFICIENT_DATA
        layer = history.spec.layers[row]
        flags = ~(norms > 0)
        began = earlier.since_step if earlier else since(history, flags)
        return Evidence(
            severity=Severity.PROBLEM,
            sign=ZERO,
            value=0.0,
            threshold=0.0,
            samples=int(rows_per_unit(history, row).sum()),
            checks=earlier.checks + 1 if earlier else int(np.count_nonzero(flags)),
            since_step=began,
            message=(
                f"The gradient of every weight of {layer.name} is exactly zero (threshold: anything above 0), since "
                f"step {began}."
            ),
            might_be_wrong=(
                "A loss with a flat floor (hinge, clipped) has zero gradient once every sample has cleared it. So has "
                "a branch that is switched off for a while."
            ),
            advice=(
                f"Check between {layer.name} and the loss for a layer of dead units, a product with zeros, a mask that "
                "hides everything, rounding, sign or comparison, and saturation at the limits of float32."
            ),
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return "gradient is exactly zero" if finding.sign == ZERO.id else "no gradient arrives"


def _around(name: str) -> Iterator[str]:
    """The names of the layers that contain the layer of this name."""
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _is_counted_elsewhere(layer: LayerSpec, around: Container[str], handed: Mapping[str, int]) -> bool:
    """Whether a layer's weights belong to layers inside it or, like those of an RNN's cell, to the layer around it.

    `around` has the names of layers that contain others.
    """
    if layer.name in handed:
        return False
    return layer.name in around or any(outer and outer in handed for outer in _around(layer.name))


def _cut(history: History, row: int, handed_to: Mapping[str, int], earlier: Finding | None) -> Evidence:
    layer = history.spec.layers[row]
    handed = handed_to.get(layer.name, 0)
    what = (
        f"none of its {handed} trainable weights has one"
        if handed
        else "the training step does not differentiate by its trainable weights"
    )
    return Evidence(
        # Only a note for weights outside the optimizer: the training step may leave them out on purpose.
        severity=Severity.PROBLEM if handed else Severity.NOTE,
        sign=CUT,
        value=0.0,
        threshold=1.0,
        samples=int(rows_per_unit(history, row).sum()),
        checks=earlier.checks + 1 if earlier else history.checks,
        since_step=history.first_step,
        message=f"No gradient reaches {layer.name}: {what} (threshold 1 weight, found 0), since step "
        f"{history.first_step}.",
        might_be_wrong=(
            "A layer that is not meant to train, or whose output only serves another loss. Set trainable=False to "
            "clear this finding."
        ),
        advice=(
            f"Check between {layer.name} and the loss for stop_gradient, argmax, rounding, a cast to integers or "
            "numpy, or a result that the loss never uses."
        ),
    )
