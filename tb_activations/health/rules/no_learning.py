"""A training whose loss is no better than without training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from tb_activations.health.history import History
from tb_activations.health.rules.base import (
    ANYWHERE,
    AnyFinding,
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
from tb_activations.health.rules.progress import (
    STUCK,
    constant_loss,
    is_falling,
    is_stuck,
    recent_loss,
    untrained_loss,
)
from tb_activations.health.rules.usual_causes import to_standardize
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number
from tb_activations.records.specs import AllPairs

LOSS = Sign("loss", "loss relative to that without training")
ALL_PAIRS = Sign("all_pairs", "samples that the loss combines each sample with", "count")

_BLOCKING = (
    *("nonfinite_data", "nonfinite", "nonfinite_loss", "unfit_head", "learning_rate", "exploding_gradient"),
    *(
        "poor_init",
        "no_gradient",
        "dead_units",
        "saturated_units",
        "stuck_gates",
        "vanishing_gradient",
        "collapsed_layer",
    ),
    *("stagnant_weights", "dormant_units"),
)
"""Rules whose findings can keep a training from learning, the most likely first."""


@dataclasses.dataclass(frozen=True)
class NoLearning(TrainingRule):
    """Attributes:
    stuck: limit of the loss relative to that of the best constant prediction, or to the initial one if that is unknown.
    min_checks: observed steps needed for a note.
    settled: observed steps needed for more than a note: sick networks may need longer to begin, and learn then.
    """

    stuck: float = STUCK
    min_checks: float = 32
    settled: float = 48

    id: ClassVar[str] = "no_learning"
    title: ClassVar[str] = "Does not learn"
    why: ClassVar[str] = "Every further step is wasted until the cause is found."
    signs: ClassVar[tuple[Sign, ...]] = (LOSS, ALL_PAIRS)
    causes: ClassVar[tuple[Cause, ...]] = tuple(Cause(rule, ANYWHERE) for rule in _BLOCKING)
    source: ClassVar[str] = "loss of the best constant prediction as the baseline: the majority class or the mean"
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"stuck": (0, 1), "min_checks": (3, 1e9), "settled": (3, 1e9)}
    labels: ClassVar[Mapping[str, Label]] = {
        "stuck": Label("Loss above this part of an untrained model's", "share"),
        "min_checks": Label("Observed steps needed for a note", "steps"),
        "settled": Label("Observed steps needed for more than a note", "steps"),
    }

    def judge(self, history: History, earlier: OpenFinding | None, known: Sequence[OpenFinding]) -> Judged:
        if history.spec.all_pairs:
            return _of_all_pairs(history, history.spec.all_pairs[0], earlier)
        untrained = untrained_loss(history)
        if not np.isfinite(untrained):
            return Outcome.INSUFFICIENT_DATA if history.checks < self.min_checks else Outcome.NOT_APPLICABLE
        if history.checks < self.min_checks:
            return Outcome.INSUFFICIENT_DATA
        if not is_stuck(history, self.stuck):
            return Outcome.OK
        worst, loss = _worst_cause(known), recent_loss(history)
        # A network with a poor start may need many steps to come down to where others begin.
        is_coming_down = loss > untrained and is_falling(history)
        if history.checks < self.settled or is_coming_down:
            # A visible cause is no reason to say less than without one.
            worst = None if worst is None else Severity.NOTE
        words = Explanation(
            message=self._message(history, loss, untrained, earlier.since_step if earlier else history.step),
            might_be_wrong=(
                "Targets that are noise cannot be learned, adversarial losses do not fall, and a fine-tuned network "
                "may start at its best."
            ),
            advice=_advice(to_standardize(history), has_cause=worst is not None),
        )
        return Evidence(
            severity=worst or Severity.NOTE,
            sign=LOSS,
            value=loss / untrained if untrained > 0 else np.nan,
            threshold=self.stuck,
            samples=int(np.nansum(history.total("samples"))),
            checks=earlier.checks + 1 if earlier else 1,
            since_step=earlier.since_step if earlier else history.step,
            explain=Told(words),
        )

    def _message(self, history: History, loss: float, untrained: float, since: int) -> str:
        constant, start = constant_loss(history), number(history.initial_loss)
        best = f" and the best constant prediction reaches {number(constant)}" if np.isfinite(constant) else ""
        ratio = f", {number(loss / untrained)} times the loss without training" if untrained > 0 else ""
        return (
            f"The training does not learn: the loss is {number(loss)}{ratio} (threshold {number(self.stuck)}), first "
            f"seen at step {since}. It was {start} at the start{best}."
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        if finding.sign == ALL_PAIRS.id:
            return "the loss combines each sample with every other one"
        return "the training does not learn"

    @classmethod
    def causes_of(cls, sign: str) -> tuple[Cause, ...]:
        return () if sign == ALL_PAIRS.id else cls.causes

    @staticmethod
    def can_cause(finding: AnyFinding, effect: str) -> bool:
        del effect
        return finding.sign == ALL_PAIRS.id


def _of_all_pairs(history: History, pairs: AllPairs, earlier: OpenFinding | None) -> Evidence:
    count = history.total("samples")[-1]
    size = f"the {number(float(count))} samples of a batch" if np.isfinite(count) else "the samples of a batch"
    effect = (
        "the weights have no effect on single samples"
        if pairs.weighs
        else "the model can learn no more from it than a constant prediction"
    )
    words = Explanation(
        message=(
            f"The {pairs.kind} in {pairs.place} combines a vector of shape (batch,) {_holding(pairs.vector)} with a "
            f"column of shape (batch, 1) {_holding(pairs.column)}. Its result is a matrix of all pairs of {size}, "
            f"whose mean does not tell samples apart (threshold 1): {effect}, since step {history.first_step}."
        ),
        might_be_wrong="The loss may be meant to compare all samples of a batch with each other.",
        advice=(
            f"Give both the same shape in {pairs.place}: remove the second axis of the column before the {pairs.kind} "
            "(keras.ops.squeeze(column, axis=-1))."
        ),
    )
    return Evidence(
        severity=Severity.WARNING if pairs.weighs else Severity.PROBLEM,
        sign=ALL_PAIRS,
        value=float(count),
        threshold=1,
        samples=int(np.nansum(history.total("samples"))),
        checks=earlier.checks + 1 if earlier else 1,
        since_step=earlier.since_step if earlier else history.first_step,
        explain=Told(words),
    )


def _holding(layer: str) -> str:
    return f"computed from {layer}" if layer else "of data"


def _worst_cause(known: Sequence[OpenFinding]) -> Severity | None:
    """The severity of the worst finding that can keep the training from learning, None without one above a note."""
    able = {one.severity for one in known if one.rule in _BLOCKING} - {Severity.NOTE}
    return max(able, key=lambda severity: severity.rank, default=None)


def _advice(remedy: str, *, has_cause: bool) -> str:
    if has_cause:
        return "Start with the finding that this one follows from."
    return remedy + (
        "No cause is visible in the layers. Check that inputs and targets belong together (shuffled alike), try to fit "
        "a single batch, and try learning rates ten times larger and smaller."
    )
