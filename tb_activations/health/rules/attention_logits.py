"""Attention whose logits grow until the softmax over the keys saturates and, in the end, overflows."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.base import (
    Answers,
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
from tb_activations.health.rules.heads import attention_of, is_heads, no_answers, peaks_of
from tb_activations.health.rules.rates import lower_rate
from tb_activations.health.rules.window import has_learned, medians, since
from tb_activations.records.finding import Finding, Severity
from tb_activations.records.formatting import number
from tb_activations.records.specs import LayerSpec

HYSTERESIS = 0.8
LOGIT = Sign("logit", "largest attention logit")

LATEST = 3
"""Observed steps whose median is judged: a runaway takes few steps from large to overflow."""
_ENDS = 8
"""Observed steps at either end of the window that tell whether logits still rise."""
_RISING = 1.1
_SMALL = 1.0
"""Logits that start smaller than this (initializations near zero) grow from here: until then they change nothing."""


@dataclasses.dataclass(frozen=True)
class AttentionLogits(LayerRule):
    """Thresholds of the largest logit of a layer's heads, as a median over the last 3 checks.

    Attributes:
        large: warning from here, if the logits have grown.
        huge: problem from here, if the logits have grown.
        growth: times their first value that counts as grown.
        min_checks: observed steps needed.
    """

    large: float = 100.0
    huge: float = 1000.0
    growth: float = 4.0
    min_checks: float = 4

    id: ClassVar[str] = "attention_logits"
    title: ClassVar[str] = "Growing attention logits"
    why: ClassVar[str] = (
        "The softmax turns such logits into a choice of one key that passes hardly any gradient, and float16 overflows."
    )
    signs: ClassVar[tuple[Sign, ...]] = (LOGIT,)
    source: ClassVar[str] = (
        "Dehghani et al. 2023 (logits above 50,000 before divergence); Wortsman et al. 2023 (they grow before the loss "
        "shows it); Kimi Team 2025 (limit 100, unstable above 1,000)"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "large": (1, 1e6),
        "huge": (1, 1e6),
        "growth": (1, 1e6),
        "min_checks": (1, 32),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "large": Label("Warning from"),
        "huge": Label("Problem from"),
        "growth": Label("Grown to at least", "times"),
        "min_checks": Label("Observed steps needed", "steps"),
    }

    def judge(self, history: History, earlier: Earlier) -> Answers:
        is_judged = history.once("heads", is_heads)
        if not is_judged.any():
            return no_answers(history)
        table = history.stat("logit_max").astype(np.float64)
        counts = np.count_nonzero(~np.isnan(table), axis=0)
        values, _ = medians(table[-LATEST:])
        is_grown = values >= self.growth * np.fmax(_first(history, table), _SMALL)
        outcomes = outcomes_of(*attention_of(is_judged, counts, self.min_checks))
        is_sure = is_judged & (counts >= self.min_checks)
        least = min(self.large, self.huge)
        is_found = is_sure & is_grown & (either(values >= least, earlier)) & (values >= least * HYSTERESIS)
        is_rising, learned = _is_rising(table), has_learned(history)
        found = {
            row: self._evidence(
                history, row, table, float(values[row]), earlier.get(row), is_settled=learned and not is_rising[row]
            )
            for row in np.flatnonzero(is_found).tolist()
        }
        return Answers(outcomes, found)

    def _evidence(
        self,
        history: History,
        row: int,
        table: NDArray[np.float64],
        value: float,
        earlier: OpenFinding | None,
        *,
        is_settled: bool,
    ) -> Evidence:
        was_huge = earlier is not None and earlier.severity is Severity.PROBLEM
        is_huge = value >= self.huge * (HYSTERESIS if was_huge else 1)
        threshold = self.huge if is_huge else self.large
        severity = Severity.PROBLEM if is_huge else Severity.NOTE if is_settled else Severity.WARNING
        closing = threshold * HYSTERESIS
        flags = table[:, row] >= closing
        peaks = peaks_of(history, row)
        began = earlier.since_step if earlier else since(history, flags)
        return Evidence(
            severity=severity,
            sign=LOGIT,
            value=value,
            threshold=threshold,
            samples=int(history.row_sums[row]),
            checks=earlier.checks + 1 if earlier else int(np.count_nonzero(flags)),
            since_step=began,
            explain=functools.partial(
                _explain,
                history.spec.layers[row],
                value,
                threshold,
                float(_first(history, table)[row]),
                int(np.nanargmax(peaks)) if np.isfinite(peaks).any() else None,
                lower_rate(history),
                began,
                is_settled=is_settled,
            ),
            unit_count=len(peaks),
            closing_threshold=closing,
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return f"attention logits up to {number(finding.value)}"


def _first(history: History, table: NDArray[np.float64]) -> NDArray[np.float64]:
    """`[layers]` largest logit at the first step; of a layer that came later, the first in the window."""
    first = np.full(table.shape[1], np.nan) if history.first is None else history.first.layer("logit_max")
    known = ~np.isnan(table)
    earliest = np.where(known.any(axis=0), table[np.argmax(known, axis=0), np.arange(table.shape[1])], np.nan)
    return np.where(np.isnan(first), earliest, first)


def _is_rising(table: NDArray[np.float64]) -> NDArray[np.bool_]:
    """`[layers]`: whether the logits rise over the window; true as long as that cannot be told."""
    if len(table) < 3 * _ENDS:
        return np.ones(table.shape[1], bool)
    (early, _), (late, _) = medians(table[:_ENDS]), medians(table[-_ENDS:])
    return ~(late < _RISING * early)


def _explain(
    layer: LayerSpec,
    value: float,
    threshold: float,
    first: float,
    head: int | None,
    rate: float,
    began: int,
    *,
    is_settled: bool,
) -> Explanation:
    limit = limit_in_words(threshold, threshold * HYSTERESIS, is_eased=value < threshold)
    overflow = "; float16 overflows at 65,504" if layer.dtype == "float16" else ""
    where = f" in head {head}" if head is not None else ""
    return Explanation(
        message=(
            f"The logits of {layer.name} have grown from {number(first)} to {number(value)}{where} "
            f"({limit}{overflow}), since step {began}."
        ),
        might_be_wrong=(
            "They have stopped growing, and the loss has fallen: heads that choose one key on purpose look like this."
            if is_settled
            else "Heads of a trained network may be sharp on purpose; then the logits stop growing."
        ),
        advice=(
            f"Lower the learning rate (try {number(rate)}), or normalize queries and keys before their product "
            "(LayerNormalization or RMSNormalization over each head); weight decay on the query and key kernels also "
            "holds the logits back."
        ),
        units=() if head is None else (head,),
    )
