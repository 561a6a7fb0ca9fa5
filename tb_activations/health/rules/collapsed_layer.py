"""Layers that output the same for every sample, so that no information about the inputs passes through."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.base import (
    ANYWHERE,
    FORWARD,
    HERE,
    Cause,
    Evidence,
    Judged,
    Label,
    LayerRule,
    Leader,
    Sign,
    limit_in_words,
)
from tb_activations.health.rules.window import has_learned, medians, rows_per_unit, since
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number
from tb_activations.records.specs import LayerSpec

HYSTERESIS = 2.0
SAMPLE_SPREAD = Sign("sample_spread", "spread of outputs over samples, relative to their size")

ALL_THE_SAME = 1e-6
"""Outputs with a smaller relative spread over samples are equal within the precision of float32."""


@dataclasses.dataclass(frozen=True)
class CollapsedLayer(LayerRule):
    """The spread is the standard deviation around each unit's mean, divided by the root mean square of all outputs.

    Attributes:
        spread: a median below this is a finding.
        min_checks: observed steps needed.
        min_rows: minimum for the median number of samples (times positions) per step.
    """

    spread: float = 1e-3
    min_checks: float = 10
    min_rows: float = 8

    id: ClassVar[str] = "collapsed_layer"
    title: ClassVar[str] = "Collapsed layer"
    why: ClassVar[str] = "When every input gives the same output, later layers cannot tell samples apart."
    signs: ClassVar[tuple[Sign, ...]] = (SAMPLE_SPREAD,)
    causes: ClassVar[tuple[Cause, ...]] = (
        Cause("unfit_head", HERE),
        Cause("poor_init", FORWARD),
        Cause("dead_units", FORWARD),
        Cause("saturated_units", FORWARD),
        Cause("vanishing_gradient", ANYWHERE),
    )
    leader: ClassVar[Leader | None] = "first"
    source: ClassVar[str] = (
        "Roy & Vetterli 2007 (effective rank; this is rank 0); Papyan et al. 2020 (healthy collapse keeps "
        "classes apart); threshold calibrated"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "spread": (0, 1),
        "min_checks": (1, 32),
        "min_rows": (2, 1e9),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "spread": Label("Samples differ less than"),
        "min_checks": Label("Observed steps needed", "steps"),
        "min_rows": Label("Samples needed per step", "samples"),
    }

    def judge(self, history: History, earlier: Sequence[Finding | None]) -> list[Judged]:
        table = _spreads(history)
        values, counts = medians(table)
        has_outputs, rows = np.any(history.stat("elements") > 0, axis=0), np.median(history.rows, axis=0)
        is_lost = history.has_lost_weights
        answers: list[Judged] = []
        for row, layer in enumerate(history.spec.layers):
            if layer.call_site or not has_outputs[row]:
                answers.append(Outcome.NOT_APPLICABLE)
            elif is_lost and earlier[row] is None:
                answers.append(Outcome.INSUFFICIENT_DATA)
            elif counts[row] < self.min_checks or rows[row] < self.min_rows:
                answers.append(Outcome.INSUFFICIENT_DATA)
            else:
                limit = self.spread * (HYSTERESIS if earlier[row] else 1)
                # Without units the spread covers all outputs of the layer: only equal outputs prove a collapse.
                is_flat = values[row] < limit if layer.units else values[row] == 0
                answers.append(self._evidence(history, row, table, values, earlier[row]) if is_flat else Outcome.OK)
        return answers

    def _evidence(
        self,
        history: History,
        row: int,
        table: NDArray[np.float64],
        values: NDArray[np.float64],
        earlier: Finding | None,
    ) -> Evidence:
        layer, value = history.spec.layers[row], float(values[row])
        behind = history.graph.reaches[row] & ~np.isnan(values)
        closing = self.spread * HYSTERESIS if layer.units else self.spread
        limit = limit_in_words(self.spread, closing, is_eased=value >= self.spread)
        passes = bool(np.any(values[behind] >= self.spread * HYSTERESIS))
        flags = table[:, row] < self.spread * HYSTERESIS
        began = earlier.since_step if earlier else since(history, flags)
        return Evidence(
            severity=_severity(passes=passes, learned=has_learned(history)),
            sign=SAMPLE_SPREAD,
            value=value,
            threshold=self.spread,
            closing_threshold=closing,
            samples=int(rows_per_unit(history, row).sum()),
            checks=earlier.checks + 1 if earlier else int(np.count_nonzero(flags)),
            since_step=began,
            message=(
                f"{layer.name} outputs the same for every sample: outputs differ by {number(value)} of their size "
                f"({limit}), since step {began}."
            ),
            might_be_wrong=(
                "Later layers do tell samples apart, so the signal takes another path: an intended constant (a learned "
                "token, a positional code) looks like this."
                if passes
                else "Batches of identical samples, or inputs without signal, look the same."
            ),
            advice=_advice(layer),
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return f"same output for every sample (spread {number(finding.value)})"

    @staticmethod
    def can_cause(finding: Finding, effect: str) -> bool:
        del effect
        # Outputs that differ a little still carry a signal; equal ones do not.
        return finding.severity is not Severity.NOTE and finding.value < ALL_THE_SAME

    @staticmethod
    def can_follow(finding: Finding, cause: str) -> bool:
        # A signal that fades leaves outputs that hardly differ, not equal ones.
        return cause != "vanishing_gradient" or finding.value >= ALL_THE_SAME


def _spreads(history: History) -> NDArray[np.float64]:
    """`[checks kept, layers]`; 0 where all outputs are zero, NaN where not measured or not finite."""
    spread, mean, std = (history.stat(name).astype(np.float64) for name in ("sample_std", "mean", "std"))
    size = np.hypot(mean, std)
    result = np.full(size.shape, np.nan)
    np.divide(spread, size, out=result, where=np.isfinite(spread) & (size > 0))
    return np.where((size == 0) & np.isfinite(spread), 0.0, result)


def _severity(*, passes: bool, learned: bool) -> Severity:
    if passes:
        return Severity.NOTE
    return Severity.WARNING if learned else Severity.PROBLEM


def _advice(layer: LayerSpec) -> str:
    return (
        f"Check the inputs of {layer.name}: inputs that vary less than their mean (standardize them), a kernel of "
        "zeros, a product with zeros, dead or saturated units before it, or a penalty (weight decay, activity "
        "regularization) so strong that a constant output is best."
    )
