"""A layer that answers all samples alike: what it is given does not pass through it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.base import Evidence, Judged, Rule
from tb_activations.health.rules.window import has_learnt, medians, rows_per_unit, since
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import LayerSpec

HYSTERESIS = 2.0


@dataclasses.dataclass(frozen=True)
class CollapsedLayer(Rule):
    """Spread: standard deviation around each unit's mean, over the root mean square of all outputs.

    Attributes:
        spread: a median below is a finding.
        min_checks: observed steps needed.
        min_rows: samples (and positions) that a step must have, in the median, to tell anything.
    """

    spread: float = 1e-3
    min_checks: float = 10
    min_rows: float = 8

    id: ClassVar[str] = "collapsed_layer"
    title: ClassVar[str] = "Collapsed layer"
    source: ClassVar[str] = (
        "Roy & Vetterli 2007 (effective rank, of which this is the case of rank 0); Papyan et al. 2020 (what is "
        "healthy "
        "collapse: classes stay apart); threshold calibrated"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "spread": (0, 1),
        "min_checks": (1, 32),
        "min_rows": (2, 1e9),
    }

    def judge(self, history: History, earlier: Sequence[Finding | None]) -> list[Judged]:
        table = _spreads(history)
        values, counts = medians(table)
        has_outputs, rows = np.any(history.stat("elements") > 0, axis=0), np.median(history.rows, axis=0)
        answers: list[Judged] = []
        for row, layer in enumerate(history.spec.layers):
            if layer.call_site or not has_outputs[row]:
                answers.append(Outcome.NOT_APPLICABLE)
            elif counts[row] < self.min_checks or rows[row] < self.min_rows:
                answers.append(Outcome.INSUFFICIENT_DATA)
            else:
                limit = self.spread * (HYSTERESIS if earlier[row] else 1)
                # Without units the spread is that of all outputs: it proves a collapse only where all are the same.
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
        # An open finding is compared with the eased threshold once it is above the plain one.
        limit = self.spread if value < self.spread or not layer.units else self.spread * HYSTERESIS
        passes = bool(np.any(values[behind] >= self.spread * HYSTERESIS))
        flags = table[:, row] < self.spread * HYSTERESIS
        began = earlier.since_step if earlier else since(history, flags)
        return Evidence(
            severity=_severity(passes=passes, learnt=has_learnt(history)),
            quantity="spread of outputs over samples, relative to their size",
            value=value,
            threshold=limit,
            samples=int(rows_per_unit(history, row).sum()),
            checks=earlier.checks + 1 if earlier else int(np.count_nonzero(flags)),
            since_step=began,
            message=(
                f"{layer.name} outputs the same for every sample: outputs differ by {value:.1e} of their size "
                f"(threshold {limit:.0e}), since step {began}."
            ),
            might_be_wrong=(
                "Layers behind it do tell samples apart, so the signal goes another way: a constant put out on purpose "
                "(a learnt token, a positional code) looks like this."
                if passes
                else "Batches whose samples are all alike, or inputs that hold no signal, look the same."
            ),
            advice=_advice(layer),
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return f"same output for every sample (spread {finding.value:.0e})"


def _spreads(history: History) -> NDArray[np.float64]:
    """`[checks kept, layers]`; 0 where all outputs are zero, NaN where not measured or not finite."""
    spread, mean, std = (history.stat(name).astype(np.float64) for name in ("sample_std", "mean", "std"))
    size = np.hypot(mean, std)
    result = np.full(size.shape, np.nan)
    np.divide(spread, size, out=result, where=np.isfinite(spread) & (size > 0))
    return np.where((size == 0) & np.isfinite(spread), 0.0, result)


def _severity(*, passes: bool, learnt: bool) -> Severity:
    if passes:
        return Severity.NOTE
    return Severity.WARNING if learnt else Severity.PROBLEM


def _advice(layer: LayerSpec) -> str:
    return (
        f"Look at what {layer.name} is given: inputs that vary less than their mean (standardise them), a kernel of "
        "zeros, a "
        "product with something that is zero, units that are dead or saturated before it, or a penalty (weight decay, "
        "activity regularisation) so strong that the constant answer is the best."
    )
