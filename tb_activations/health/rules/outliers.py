"""Layers whose largest outputs are so far from the others that numbers of 8 bits lose the others."""

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
    AnyFinding,
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
from tb_activations.health.rules.window import medians, since
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number
from tb_activations.records.specs import LayerSpec

HYSTERESIS = 0.8
RANGE = Sign("range", "largest output, relative to the root mean square")

LATEST = 12
"""Observed steps whose median is judged."""
_LEVELS = 127
"""Steps of signed numbers of 8 bits from 0 to the largest."""
_SHARES = ("softmax", "sigmoid", "hard_sigmoid")
"""Functions whose outputs are shares: a layer that names one class of many has nearly only zeros."""


@dataclasses.dataclass(frozen=True)
class Outliers(LayerRule):
    """The value is the largest absolute output divided by the root mean square, a median over the last 12 checks.

    Attributes:
        ratio: note from here.
        min_checks: observed steps needed.
    """

    ratio: float = 64.0
    min_checks: float = 10

    id: ClassVar[str] = "outliers"
    title: ClassVar[str] = "Outliers"
    why: ClassVar[str] = (
        "The training is fine, but numbers of 8 bits that reach the outliers are too coarse for the rest."
    )
    signs: ClassVar[tuple[Sign, ...]] = (RANGE,)
    source: ClassVar[str] = (
        "Dettmers et al. 2022 (LLM.int8()); Bondarenko et al. 2021; at 64 a typical output is 2 of the 127 steps of 8 "
        "bits, so that rounding changes it by 14%"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"ratio": (1, 1e6), "min_checks": (1, 12)}
    labels: ClassVar[Mapping[str, Label]] = {
        "ratio": Label("Note from", "times"),
        "min_checks": Label("Observed steps needed", "steps"),
    }

    def judge(self, history: History, earlier: Earlier) -> Answers:
        table = history.once_a_step("ranges", _ranges)
        values, counts = medians(table[-LATEST:])
        is_judged = history.once("no shares", _is_judged) & (counts > 0) & ~history.graph.is_head
        is_sure = is_judged & (counts >= self.min_checks)
        outcomes = outcomes_of((~is_judged, Outcome.NOT_APPLICABLE), (~is_sure, Outcome.INSUFFICIENT_DATA))
        is_found = is_sure & either(values >= self.ratio, earlier) & (values >= self.ratio * HYSTERESIS)
        found = {
            row: self._evidence(history, row, table[:, row], float(values[row]), earlier.get(row))
            for row in np.flatnonzero(is_found).tolist()
        }
        return Answers(outcomes, found)

    def _evidence(
        self, history: History, row: int, ranges: NDArray[np.float64], value: float, earlier: OpenFinding | None
    ) -> Evidence:
        flags = ranges >= self.ratio * HYSTERESIS
        began = earlier.since_step if earlier else since(history, flags)
        return Evidence(
            severity=Severity.NOTE,
            sign=RANGE,
            value=value,
            threshold=self.ratio,
            samples=int(history.row_sums[row]),
            checks=earlier.checks + 1 if earlier else int(np.count_nonzero(flags)),
            since_step=began,
            explain=functools.partial(_explain, history.spec.layers[row], value, self.ratio, began),
            closing_threshold=self.ratio * HYSTERESIS,
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return f"outputs up to {number(finding.value)} times their root mean square"

    @staticmethod
    def can_cause(finding: AnyFinding, effect: str) -> bool:
        del finding, effect
        return False


def _ranges(history: History) -> NDArray[np.float64]:
    """`[checks kept, layers]`; NaN where not measured, not finite, or all outputs are zero."""
    low, high, mean, std = (history.stat(name).astype(np.float64) for name in ("min", "max", "mean", "std"))
    size = np.hypot(mean, std)
    result = np.full(size.shape, np.nan)
    np.divide(np.fmax(np.abs(low), np.abs(high)), size, out=result, where=np.isfinite(size) & (size > 0))
    return result


def _is_judged(history: History) -> NDArray[np.bool_]:
    is_share = np.array([layer.activation in _SHARES for layer in history.spec.layers], bool)
    result: NDArray[np.bool_] = history.is_whole & ~is_share
    return result


def _explain(layer: LayerSpec, value: float, threshold: float, began: int) -> Explanation:
    limit = limit_in_words(threshold, threshold * HYSTERESIS, is_eased=value < threshold)
    return Explanation(
        message=(
            f"The largest outputs of {layer.name} are {number(value)} times their root mean square ({limit}), since "
            f"step {began}. A typical output is {number(_LEVELS / value)} of the {_LEVELS} steps of 8-bit numbers that "
            "reach them."
        ),
        might_be_wrong="Nothing is wrong with the training, and a layer that is never quantized does not mind.",
        advice=(
            f"Before quantizing the model, check {layer.name}: keep it in 16 bits, quantize it by channels, or clip "
            "its largest outputs. Attention that cannot attend to nothing causes outliers; a gate lets it."
        ),
    )
