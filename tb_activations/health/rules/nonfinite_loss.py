"""A loss that is NaN or infinite although the outputs and weights of every layer are finite."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from tb_activations.health.history import History
from tb_activations.health.rules.base import (
    ANYWHERE,
    Cause,
    Evidence,
    Explanation,
    Judged,
    Label,
    OpenFinding,
    Sign,
    Told,
    TrainingRule,
)
from tb_activations.health.rules.batch_row import bad_replica, bad_row_in_words, lost_row
from tb_activations.health.rules.nan_origin import Origin
from tb_activations.health.rules.suspects import suspects, to_positive
from tb_activations.health.rules.usual_causes import to_standardize
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number

LOSS = Sign("loss", "observed steps in a row with a non-finite loss", "count")

_DATA = (("target", "targets"), ("output", "outputs"), ("input", "inputs"), ("sample_weight", "sample weights"))

_TARGETS = "Check that the targets have the range that the loss expects."


@dataclasses.dataclass(frozen=True)
class NonFiniteLoss(TrainingRule):
    """Attributes:
    skipped_steps: steps in a row that may overflow under loss scaling before that is a problem.
    """

    skipped_steps: float = 10

    id: ClassVar[str] = "nonfinite_loss"
    title: ClassVar[str] = "Loss is NaN or infinite"
    why: ClassVar[str] = "A loss that is not finite says nothing about the model, and its gradient may be wrong."
    signs: ClassVar[tuple[Sign, ...]] = (LOSS,)
    causes: ClassVar[tuple[Cause, ...]] = (
        Cause("nonfinite_data", ANYWHERE),
        Cause("unfit_head", ANYWHERE),
        # The square of a huge output overflows.
        Cause("exploding_gradient", ANYWHERE),
    )
    source: ClassVar[str] = "IEEE 754; loss scaling: Micikevicius et al. 2018"
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"skipped_steps": (1, 1e6)}
    labels: ClassVar[Mapping[str, Label]] = {
        "skipped_steps": Label("Overflows in a row under loss scaling until a problem", "steps"),
    }

    def judge(self, history: History, earlier: OpenFinding | None, known: Sequence[OpenFinding]) -> Judged:
        flags = history.total("loss_nonfinite")
        if np.isnan(flags[-1]):
            return Outcome.NOT_APPLICABLE
        if flags[-1] != 1 or (earlier is None and _began_elsewhere(history.step, known)):
            return Outcome.OK
        return self._lasting(history, earlier) if earlier else self._first(history)

    def _lasting(self, history: History, earlier: OpenFinding) -> Evidence:
        """Keeps telling what the data were when it began: later outputs are those of lost weights."""
        checks = earlier.checks + 1
        is_skipped = self._is_skipped(history, checks)
        words = earlier.evidence.explain()
        rest = words.message.removeprefix(_how_often(earlier.checks))
        words = words._replace(message=_how_often(checks) + rest, might_be_wrong=_doubt(is_skipped=is_skipped))
        severity = Severity.NOTE if is_skipped else Severity.PROBLEM
        return earlier.evidence._replace(severity=severity, value=checks, checks=checks, explain=Told(words))

    def _first(self, history: History) -> Evidence:
        # If the loss was lost in the steps before, that began elsewhere: this is the first step in which it did not.
        began, row = history.step, lost_row(history)
        is_skipped = self._is_skipped(history, checks=1)
        words = Explanation(
            message=(
                f"{_how_often(1)}, since step {began}. The outputs and weights of every layer were finite in that "
                "step: it began in the loss function or the targets."
                f"{bad_row_in_words(row, bad_replica(history, began))}{_ranges(history)}"
            ),
            might_be_wrong=_doubt(is_skipped=is_skipped),
            advice=to_standardize(history) + (to_positive(history, "") or _check(history)) + _TARGETS,
        )
        return Evidence(
            severity=Severity.NOTE if is_skipped else Severity.PROBLEM,
            sign=LOSS,
            value=1,
            threshold=0,
            samples=int(np.nan_to_num(history.total("samples")[-1])),
            checks=1,
            since_step=began,
            explain=Told(words),
            sample_row=row,
        )

    def _is_skipped(self, history: History, checks: int) -> bool:
        return history.loss_scale > 1 and checks < self.skipped_steps

    @staticmethod
    def headline(finding: Finding) -> str:
        del finding
        return "the loss is NaN or infinite"


def _began_elsewhere(step: int, known: Sequence[OpenFinding]) -> bool:
    """Whether a layer has values that are not finite, unless they are the gradients of this step's loss."""
    return any(
        finding.rule == "nonfinite"
        and finding.severity is not Severity.NOTE
        and not (finding.since_step == step and finding.evidence.origin == Origin.LOSS.value)
        for finding in known
    )


def _check(history: History) -> str:
    named = suspects(history, "")
    what = (
        f"Check {named} for an argument that can be zero, negative or huge"
        if named
        else "Check the loss function for the logarithm or square root of a number that can be zero or negative, "
        "division by zero and overflow of exp"
    )
    return f"{what}; clip the argument (keras.ops.maximum(value, 1e-7)). "


def _how_often(checks: int) -> str:
    steps = "step" if checks == 1 else "steps in a row"
    return f"The loss is NaN or infinite in {checks} observed {steps} (none allowed)"


def _doubt(*, is_skipped: bool) -> str:
    if is_skipped:
        return "Loss scaling finds its range by overflowing now and then, and skips such steps."
    return "Layers that are not observed may hold the NaN."


def _ranges(history: History) -> str:
    """The ranges of the data in this step, as far as they were measured."""
    parts = []
    for kind, name in _DATA:
        least, most, lost = (float(history.total(f"{kind}_{what}")[-1]) for what in ("min", "max", "nonfinite"))
        if np.isfinite(least) or lost > 0:
            others = f", {lost:.0f} not finite" if lost > 0 else ""
            parts.append(f"{name} from {number(least)} to {number(most)}{others}")
    return f" Data of that step: {'; '.join(parts)}." if parts else ""
