"""A loss or gradient far beyond its recent history."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

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
from tb_activations.health.rules.batch_row import dominant_row, dominant_row_in_words
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number

LOSS = Sign("loss", "loss")
GRADIENT = Sign("gradient", "norm of the gradient of all weights")

_NAMES = {LOSS.id: "loss", GRADIENT.id: "gradient norm"}

LEAST = 1.5
"""A value below this many times the recent mean is no spike, however little the recent values vary."""

OPEN_CHECKS = 8
"""Observed steps for which a spike stays open after it is over, so that it is seen."""


@dataclasses.dataclass(frozen=True)
class LossSpike(TrainingRule):
    """Attributes:
    deviations: limit in standard deviations above the mean of the recent history.
    lasting: observed steps beyond the limit after which a spike of the loss is a warning.
    min_checks: observed steps needed before the one that is judged.
    """

    deviations: float = 6
    lasting: float = 5
    min_checks: float = 16

    id: ClassVar[str] = "loss_spike"
    title: ClassVar[str] = "Spike"
    why: ClassVar[str] = "Spikes come from bad batches or steps that are too long; some do not recover."
    signs: ClassVar[tuple[Sign, ...]] = (LOSS, GRADIENT)
    causes: ClassVar[tuple[Cause, ...]] = (Cause("exploding_gradient", ANYWHERE), Cause("learning_rate", ANYWHERE))
    source: ClassVar[str] = "six standard deviations of the recent history, as OLMo and MaxText define spikes"
    hears_others: ClassVar[bool] = False
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "deviations": (1, 1e6),
        "lasting": (1, 32),
        "min_checks": (4, 31),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "deviations": Label("Spike from this many standard deviations"),
        "lasting": Label("Warning after this many observed steps", "steps"),
        "min_checks": Label("Observed steps needed before", "steps"),
    }

    def judge(self, history: History, earlier: OpenFinding | None, known: Sequence[OpenFinding]) -> Judged:
        del known
        if earlier is not None:
            return self._lasting(history, earlier)
        if history.checks <= self.min_checks:
            return Outcome.INSUFFICIENT_DATA
        for sign, values in ((LOSS, history.losses), (GRADIENT, _gradient_norms(history))):
            limit = self._limit(values[:-1])
            if values[-1] > limit:
                return self._spike(history, sign, float(values[-1]), limit)
        return Outcome.OK

    def _limit(self, recent: NDArray[np.float64]) -> float:
        finite = recent[np.isfinite(recent)]
        if len(finite) < self.min_checks:
            return float("inf")
        mean = float(finite.mean())
        limit = max(mean + self.deviations * float(finite.std()), mean + (LEAST - 1) * abs(mean))
        if finite.min() <= 0:
            return limit
        # Losses of small batches are skewed: large values are common, and rare only on a logarithmic scale.
        logarithms = np.log(finite)
        return max(limit, float(np.exp(logarithms.mean() + self.deviations * logarithms.std())))

    def _lasting(self, history: History, earlier: OpenFinding) -> Judged:
        values = history.losses if earlier.sign == LOSS.id else _gradient_norms(history)
        since = history.steps >= earlier.since_step
        beyond = int(np.count_nonzero(values[since] > earlier.threshold))
        is_over = not values[-1] > earlier.threshold
        if is_over and earlier.checks >= OPEN_CHECKS:
            return Outcome.OK
        is_lasting = earlier.sign == LOSS.id and beyond >= self.lasting and not is_over
        severity = Severity.WARNING if is_lasting else Severity.NOTE
        return earlier.evidence._replace(severity=severity, checks=earlier.checks + 1)

    def _spike(self, history: History, sign: Sign, value: float, limit: float) -> Evidence:
        name, row = _NAMES[sign.id], dominant_row(history)
        words = Explanation(
            message=(
                f"The {name} jumped to {number(value)} (threshold {number(limit)}, {number(self.deviations)} "
                f"standard deviations above its recent history), first seen at step {history.step}."
                f"{dominant_row_in_words(row)}"
            ),
            might_be_wrong="A single unusual batch looks the same, and most spikes recover by themselves.",
            advice=(
                "If it does not recover: clip gradients (clipnorm=1.0), lower the learning rate, and look at the batch "
                "of this step for bad samples."
            ),
        )
        return Evidence(
            severity=Severity.NOTE,
            sign=sign,
            value=value,
            threshold=limit,
            samples=int(np.nan_to_num(history.total("samples")[-1])),
            checks=1,
            since_step=history.step,
            explain=Told(words),
            sample_row=row,
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return f"{_NAMES.get(finding.sign, 'value')} jumped to {number(finding.value)}"


def _gradient_norms(history: History) -> NDArray[np.float64]:
    """`[checks kept]`: norm of the gradient of all observed weights, NaN if not measured."""
    norms = history.stat("weight_gradient_norm").astype(np.float64)
    whole = np.array([layer.is_whole for layer in history.spec.layers], bool)
    squares = np.nansum(np.square(norms[:, whole]), axis=1)
    return np.where(squares > 0, np.sqrt(squares), np.nan)
