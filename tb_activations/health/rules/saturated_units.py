"""Units of bounded activations whose outputs stay at the bounds, where the gradient is nearly zero."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from tb_activations.health.history import History
from tb_activations.health.rules.base import (
    ANYWHERE,
    FORWARD,
    HERE,
    Answers,
    Cause,
    Earlier,
    Evidence,
    Explanation,
    Label,
    LayerRule,
    OpenFinding,
    Sign,
    either,
    limit_in_words,
    outcomes_of,
)
from tb_activations.health.rules.gating import is_gate
from tb_activations.health.rules.outputs import is_output
from tb_activations.health.rules.progress import (
    constant_loss,
    is_falling,
    is_known_stuck,
    is_stuck,
)
from tb_activations.health.rules.rates import lower_rate
from tb_activations.health.rules.usual_causes import is_approaching, to_standardize
from tb_activations.health.rules.window import has_learned, medians, since
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number, percent
from tb_activations.records.specs import LayerSpec

HYSTERESIS = 0.85
SATURATED_SHARE = Sign("saturated_share", "share of outputs saturated", "share")

LATEST = 12
"""Observed steps whose median is judged, because only units that stay at their bounds are saturated."""


RARE = 0.025
"""A sigmoid that outputs less than this share, or more than the rest, is in the outer 5% of its range."""


@dataclasses.dataclass(frozen=True)
class SaturatedUnits(LayerRule):
    """Thresholds are shares of outputs in the outer 5% of the activation's range, as a median over the last 12 checks.

    Attributes:
        min_checks: observed steps needed.
    """

    note_share: float = 0.35
    warning_share: float = 0.45
    problem_share: float = 0.8
    min_checks: float = 10

    id: ClassVar[str] = "saturated_units"
    title: ClassVar[str] = "Saturated units"
    why: ClassVar[str] = (
        "A unit at its bound responds to every input alike, and its slope is so flat that hardly any gradient passes."
    )
    signs: ClassVar[tuple[Sign, ...]] = (SATURATED_SHARE,)
    causes: ClassVar[tuple[Cause, ...]] = (
        Cause("poor_init", FORWARD),
        Cause("unfit_head", HERE),
        Cause("exploding_gradient", ANYWHERE),
    )
    source: ClassVar[str] = (
        "Glorot & Bengio 2010; Rakitianskaia & Engelbrecht 2015; shares above the 27% that healthy hidden layers reach"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "note_share": (0, 1),
        "warning_share": (0, 1),
        "problem_share": (0, 1),
        "min_checks": (1, 12),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "note_share": Label("Note from", "share"),
        "warning_share": Label("Warning from", "share"),
        "problem_share": Label("Problem from", "share"),
        "min_checks": Label("Observed steps needed", "steps"),
    }
    lines: ClassVar[Mapping[str, tuple[str, ...]]] = {"saturated_fraction": ("warning_share", "problem_share")}

    def judge(self, history: History, earlier: Earlier) -> Answers:
        shares, counts = medians(history.stat("saturated_fraction")[-LATEST:])
        is_judged = history.is_whole & ~is_gate(history) & (counts > 0)
        # The head of a confident network is at its bounds, as are its targets; that of one that does not learn is stuck
        # there. The same is true of what a generator, an actor or an encoder gives, which other networks take.
        # Without a compiled loss, as in adversarial trainings, only the loss of a constant prediction shows that. Where
        # nearly all targets are the same (pixels of a dark picture), the best constant prediction is at the bound, too.
        is_lost = is_stuck(history) if history.spec.loss else is_known_stuck(history)
        if not is_lost or _are_targets_rare(history):
            is_judged = is_judged & ~history.once("outputs", is_output)
        is_sure = counts >= self.min_checks
        outcomes = outcomes_of((~is_judged, Outcome.NOT_APPLICABLE), (~is_sure, Outcome.INSUFFICIENT_DATA))
        least = min(self.note_share, self.warning_share, self.problem_share)
        # Many networks leave their bounds within the first steps, while the loss falls.
        learned, found = has_learned(history) or is_falling(history), {}
        is_early = is_approaching(history)
        for row in np.flatnonzero(is_judged & is_sure & either(shares >= least, earlier)).tolist():
            evidence = self._judge_layer(
                history, row, float(shares[row]), earlier.get(row), learned=learned, is_early=is_early
            )
            if evidence is not None:
                found[row] = evidence
        return Answers(outcomes, found)

    def _judge_layer(
        self,
        history: History,
        row: int,
        share: float,
        earlier: OpenFinding | None,
        *,
        learned: bool,
        is_early: bool,
    ) -> Evidence | None:
        severity, threshold = self._severity(share)
        if earlier:
            eased, eased_threshold = self._severity(share / HYSTERESIS)
            if eased is earlier.severity:
                severity, threshold = eased, eased_threshold
        if severity is None:
            return None
        if learned:
            # A confident network drives its units to their bounds, so a falling loss lowers the severity by one. One
            # that is on its way to the mean of its targets drives all of them there, and most return on arrival.
            milder = {} if is_early else {Severity.PROBLEM: (Severity.WARNING, self.warning_share)}
            severity, threshold = milder.get(severity, (Severity.NOTE, self.note_share))
        closing = threshold * HYSTERESIS
        if earlier:
            began, checks = earlier.since_step, earlier.checks + 1
        else:
            flags = history.stat("saturated_fraction")[:, row] >= closing
            began, checks = since(history, flags), int(np.count_nonzero(flags))
        return Evidence(
            severity=severity,
            sign=SATURATED_SHARE,
            value=share,
            threshold=threshold,
            samples=int(history.row_sums[row]),
            checks=checks,
            since_step=began,
            explain=functools.partial(
                _explain, history.spec.layers[row], share, threshold, began, _remedy(history, began), learned=learned
            ),
            closing_threshold=closing,
        )

    def _severity(self, share: float) -> tuple[Severity | None, float]:
        levels = (
            (Severity.PROBLEM, self.problem_share),
            (Severity.WARNING, self.warning_share),
            (Severity.NOTE, self.note_share),
        )
        return next(((level, threshold) for level, threshold in levels if share >= threshold), (None, 0.0))

    @staticmethod
    def headline(finding: Finding) -> str:
        return f"{percent(finding.value)} of outputs saturated"


def _are_targets_rare(history: History) -> bool:
    """Whether the best constant prediction under binary cross entropy is at the bound: its loss shows how far it is."""
    least = -(RARE * np.log(RARE) + (1 - RARE) * np.log(1 - RARE))
    return history.spec.loss == "binary_crossentropy" and constant_loss(history) <= least


def _remedy(history: History, began: int) -> str:
    """What to try first: it depends on whether the units were saturated from the start."""
    if began <= history.first_step:
        return to_standardize(history) + "Use glorot_uniform with zero bias for the kernel"
    return f"{to_standardize(history)}Lower the learning rate (try {number(lower_rate(history))})"


def _explain(
    layer: LayerSpec, share: float, threshold: float, began: int, remedy: str, *, learned: bool
) -> Explanation:
    limit = limit_in_words(threshold, threshold * HYSTERESIS, is_eased=share < threshold, unit="share")
    return Explanation(
        message=(
            f"{percent(share)} of the outputs of {layer.name} are at the bounds of {layer.activation} "
            f"({limit}), where its gradient is nearly zero, since step {began}."
        ),
        might_be_wrong=(
            "The loss is falling anyway: codes and switches are meant to be near their bounds."
            if learned
            else "Layers that are meant to switch (gates, binary codes) are at their bounds on purpose."
        ),
        advice=_advice(layer, remedy),
    )


def _advice(layer: LayerSpec, remedy: str) -> str:
    return (
        f"{remedy}, so that the inputs of {layer.activation} return to about -1 to 1. Normalizing before the "
        f"activation of {layer.name} also does that. relu and gelu do not saturate at the upper end."
    )
