"""Attention that has collapsed: all heads look at single keys while nothing is learned, or heads that are the same."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.base import (
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
    limit_in_words,
    outcomes_of,
)
from tb_activations.health.rules.heads import attention_of, is_heads, no_answers
from tb_activations.health.rules.progress import is_stuck
from tb_activations.health.rules.rates import lower_rate
from tb_activations.health.rules.window import has_learned, medians, since
from tb_activations.records.finding import Finding, Severity
from tb_activations.records.formatting import number, percent
from tb_activations.records.specs import LayerSpec

HYSTERESIS = 2.0
ENTROPY = Sign("entropy", "entropy of the attention, as a share of the largest possible one", "share")
SIMILARITY = Sign("similarity", "similarity of two heads")

LATEST = 8
"""Observed steps whose median is judged."""
_RISEN = 1.1
"""A loss that is this many times as large as earlier in the window is worse."""


@dataclasses.dataclass(frozen=True)
class AttentionCollapse(LayerRule):
    """Thresholds for medians over the last 8 checks.

    Attributes:
        entropy: a mean entropy of all heads below this, as a share of the largest possible one, is a finding.
        similarity: logits of two heads that are at least this alike are those of identical heads.
        min_checks: observed steps needed.
    """

    entropy: float = 0.05
    similarity: float = 0.999
    min_checks: float = 6

    id: ClassVar[str] = "attention_collapse"
    title: ClassVar[str] = "Collapsed attention"
    why: ClassVar[str] = (
        "A head that always chooses one key passes no gradient to its queries, and a copy of another head adds nothing."
    )
    signs: ClassVar[tuple[Sign, ...]] = (ENTROPY, SIMILARITY)
    causes: ClassVar[tuple[Cause, ...]] = (Cause("attention_logits", HERE),)
    source: ClassVar[str] = (
        "Zhai et al. 2023 (entropy collapse); Michel et al. 2019 (redundant heads); thresholds near the ends of the "
        "ranges, 0 and 1"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "entropy": (0, 1),
        "similarity": (0, 1),
        "min_checks": (1, 32),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "entropy": Label("Entropy below", "share"),
        "similarity": Label("Identical heads from"),
        "min_checks": Label("Observed steps needed", "steps"),
    }

    @classmethod
    def causes_of(cls, sign: str) -> tuple[Cause, ...]:
        # Logits that grow do not make heads alike.
        return cls.causes if sign == ENTROPY.id else ()

    def judge(self, history: History, earlier: Earlier) -> Answers:
        is_judged = history.once("heads", is_heads)
        if not is_judged.any():
            return no_answers(history)
        entropies, alike = history.stat("attention_entropy"), history.stat("head_similarity")
        entropy, counts = medians(entropies[-LATEST:])
        similarity, pairs = medians(alike[-LATEST:])
        # Trained heads may come to resemble each other; those that began alike cannot part.
        began_alike = _at_first(history) >= self.similarity
        outcomes = outcomes_of(
            *attention_of(is_judged, np.count_nonzero(~np.isnan(entropies), axis=0), self.min_checks)
        )
        # Heads that choose one key each are what a trained network may need.
        is_lost = is_stuck(history) or not has_learned(history) or _is_worse(history)
        found = {}
        for row in np.flatnonzero(is_judged).tolist():
            known = earlier.get(row)
            was_sharp = known is not None and known.sign == ENTROPY.id
            is_sharp = entropy[row] < self.entropy * (HYSTERESIS if was_sharp else 1)
            is_same = began_alike[row] and similarity[row] >= self.similarity
            if is_same and min(pairs[row], len(history.steps)) >= min(self.min_checks, LATEST):
                flags = alike[:, row] >= self.similarity
                found[row] = self._same(history, row, float(similarity[row]), flags, _of_sign(known, SIMILARITY))
            elif is_sharp and is_lost and counts[row] >= min(self.min_checks, LATEST):
                flags = entropies[:, row] < self.entropy * HYSTERESIS
                found[row] = self._sharp(history, row, float(entropy[row]), flags, _of_sign(known, ENTROPY))
        return Answers(outcomes, found)

    def _sharp(
        self, history: History, row: int, value: float, flags: NDArray[np.bool_], earlier: OpenFinding | None
    ) -> Evidence:
        heads = int(history.units_of[row])
        began = earlier.since_step if earlier else since(history, flags)
        return Evidence(
            severity=Severity.PROBLEM if is_stuck(history) else Severity.WARNING,
            sign=ENTROPY,
            value=value,
            threshold=self.entropy,
            samples=int(history.row_sums[row]),
            checks=earlier.checks + 1 if earlier else int(np.count_nonzero(flags)),
            since_step=began,
            explain=functools.partial(
                _explain_sharp, history.spec.layers[row], value, self.entropy, heads, lower_rate(history), began
            ),
            unit_count=heads,
            closing_threshold=self.entropy * HYSTERESIS,
        )

    def _same(
        self, history: History, row: int, value: float, flags: NDArray[np.bool_], earlier: OpenFinding | None
    ) -> Evidence:
        began = earlier.since_step if earlier else since(history, flags)
        pair = tuple(history.latest(column)[row] for column in ("similar_head", "similar_other"))
        return Evidence(
            severity=Severity.WARNING,
            sign=SIMILARITY,
            value=value,
            threshold=self.similarity,
            samples=int(history.row_sums[row]),
            checks=earlier.checks + 1 if earlier else int(np.count_nonzero(flags)),
            since_step=began,
            explain=functools.partial(
                _explain_same,
                history.spec.layers[row],
                value,
                self.similarity,
                tuple(int(head) for head in pair if np.isfinite(head)),
                began,
            ),
            unit_count=int(history.units_of[row]),
            closing_threshold=self.similarity,
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        if finding.sign == SIMILARITY.id:
            return "identical heads"
        return f"attention on single keys (entropy {percent(finding.value)})"


def _of_sign(earlier: OpenFinding | None, sign: Sign) -> OpenFinding | None:
    return earlier if earlier is not None and earlier.sign == sign.id else None


def _at_first(history: History) -> NDArray[np.float32]:
    """`[layers]` similarity of heads at the first observed step, NaN if unknown."""
    none = np.full(len(history.spec.layers), np.nan, np.float32)
    return none if history.first is None else history.first.layer("head_similarity")


def _is_worse(history: History) -> bool:
    """Whether the loss of the latest observed steps is above that of the first ones in the window."""
    losses = history.losses[np.isfinite(history.losses)]
    if len(losses) < 2 * LATEST:
        return False
    early, late = float(np.median(losses[:LATEST])), float(np.median(losses[-LATEST:]))
    return late - early > (_RISEN - 1) * abs(early)


def _explain_sharp(
    layer: LayerSpec, value: float, threshold: float, heads: int, rate: float, began: int
) -> Explanation:
    limit = limit_in_words(threshold, threshold * HYSTERESIS, is_eased=value >= threshold, unit="share")
    return Explanation(
        message=(
            f"All {heads} heads of {layer.name} look at single keys: the entropy of their attention is "
            f"{percent(value)} of the largest possible one ({limit}), and the loss does not fall, since step {began}."
        ),
        might_be_wrong="A task in which each query needs exactly one key looks like this, once it is learned.",
        advice=(
            f"Lower the learning rate (try {number(rate)}) with a warm-up, and normalize queries and keys before their "
            "product, so that their logits stay small."
        ),
        units=tuple(range(heads)),
    )


def _explain_same(layer: LayerSpec, value: float, threshold: float, pair: tuple[int, ...], began: int) -> Explanation:
    which = f"Heads {' and '.join(map(str, pair))}" if pair else "Two heads"
    return Explanation(
        message=(
            f"{which} of {layer.name} attend alike: the similarity of their logits is {number(value)} (threshold "
            f"{number(threshold)}), since step {began}."
        ),
        might_be_wrong="Heads that share their query and key kernels on purpose are alike.",
        advice=(
            f"Initialize the heads of {layer.part_of or layer.name} differently (a random initializer such as "
            "glorot_uniform for the query and key kernels, not a constant or the same slice for each head): equal "
            "heads get equal gradients and stay equal."
        ),
        units=pair,
    )
