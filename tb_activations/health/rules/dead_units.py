"""Units of the ReLU family that output zero for every sample, for long enough to be sure."""

from __future__ import annotations

import dataclasses
import math
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
    evidence_of,
)
from tb_activations.health.rules.shares import HYSTERESIS, Shares
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import percent
from tb_activations.records.specs import LayerSpec

RELU_FAMILY = frozenset({"relu", "relu6", "hard_silu", "hard_swish", "sparse_plus", "threshold", "rectifier"})
"""Activations that are exactly zero on a half line. The gradient is zero there too, so a unit cannot recover."""

UNITS_LISTED = 1000
"""Units named in a finding; the rest are only counted."""
DEAD_SHARE = Sign("dead_share", "share of units dead", "share")
FEW_UNITS = 8
"""In smaller layers a share means little: three dead units of six are common. Only a fully dead layer counts."""


@dataclasses.dataclass(frozen=True)
class DeadUnits(LayerRule):
    """Thresholds: the share of dead units for each severity, and how long a unit must be silent to count as dead.

    Attributes:
        min_samples: silent samples needed. By the rule of three, a unit silent on all of 300 samples is active on less
            than 1% at 95% confidence.
        min_checks: silent observed steps in a row needed.
        min_span: share of the training so far for which the unit must have been silent.
    """

    note_share: float = 0.1
    warning_share: float = 0.5
    problem_share: float = 0.7
    min_samples: float = 300
    min_checks: float = 5
    min_span: float = 0.2

    id: ClassVar[str] = "dead_units"
    title: ClassVar[str] = "Dead units"
    why: ClassVar[str] = (
        "A unit that outputs zero for every sample learns nothing: no gradient reaches its weights, and the layer "
        "loses capacity."
    )
    signs: ClassVar[tuple[Sign, ...]] = (DEAD_SHARE,)
    causes: ClassVar[tuple[Cause, ...]] = (
        Cause("poor_init", FORWARD),
        Cause("unfit_head", HERE),
        Cause("exploding_gradient", ANYWHERE),
    )
    leader: ClassVar[Leader | None] = "first"
    source: ClassVar[str] = (
        "Lu et al. 2020 (born dead ReLU), Sokar et al. 2023 (persistence over checks); shares above the 40 % that "
        "healthy ReLU networks reach; samples by the rule of three"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "note_share": (0, 1),
        "warning_share": (0, 1),
        "problem_share": (0, 1),
        "min_samples": (1, 1e9),
        "min_checks": (1, 1e6),
        "min_span": (0, 1),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "note_share": Label("Note from", "share"),
        "warning_share": Label("Warning from", "share"),
        "problem_share": Label("Problem from", "share"),
        "min_samples": Label("Silent samples needed", "samples"),
        "min_checks": Label("Silent observed steps needed", "steps"),
        "min_span": Label("Silent for at least this part of the training", "share"),
    }

    def judge(self, history: History, earlier: Sequence[Finding | None]) -> list[Judged]:
        dead, is_lost = self._dead(history), history.has_lost_weights
        return [
            Outcome.INSUFFICIENT_DATA
            if is_lost and earlier[row] is None
            else self._judge_layer(history, row, dead, earlier[row], is_head=bool(history.graph.is_head[row]))
            for row in range(len(history.spec.layers))
        ]

    def _dead(self, history: History) -> NDArray[np.bool_]:
        units = history.units
        span = history.step - units.silent_since
        return (
            (units.silent_checks >= self.min_checks)
            & (units.silent_samples >= self.min_samples)
            & (span >= self.min_span * (history.step - history.first_step))
        )

    def _judge_layer(
        self, history: History, row: int, dead: NDArray[np.bool_], earlier: Finding | None, *, is_head: bool
    ) -> Judged:
        layer = history.spec.layers[row]
        if layer.call_site or layer.activation not in RELU_FAMILY:
            return Outcome.NOT_APPLICABLE
        own = history.unit_slices[row]
        if layer.units == 0 or not np.any(history.units.born[own] >= 0):
            return Outcome.INSUFFICIENT_DATA
        share = float(dead[own].mean())
        if share == 1 and earlier is not None and earlier.value == 1:
            return self._repeated(history, own, earlier)
        severity = self._severity(share, earlier, whole_only=is_head or layer.units < FEW_UNITS)
        if severity is not None:
            return self._evidence(history, row, dead[own], severity)
        return Outcome.OK if self._is_sure(history, own) else Outcome.INSUFFICIENT_DATA

    def _repeated(self, history: History, own: slice, earlier: Finding) -> Evidence:
        """The evidence for a layer that is still fully dead: only its age has changed."""
        return dataclasses.replace(
            evidence_of(earlier, self.signs),
            samples=int(history.units.silent_samples[own].min()),
            checks=int(history.units.silent_checks[own].min()),
        )

    def _severity(self, share: float, earlier: Finding | None, *, whole_only: bool) -> Severity | None:
        if share in (0, 1) or whole_only:
            return Severity.PROBLEM if share == 1 else None
        return self._shares.severity(share, earlier)

    @property
    def _shares(self) -> Shares:
        return Shares(self.note_share, self.warning_share, self.problem_share)

    def _is_sure(self, history: History, own: slice) -> bool:
        """Whether dead units would have been found by now, because few silent units are still undecided."""
        undecided = (history.units.silent_checks[own] > 0) & (history.units.silent_samples[own] < self.min_samples)
        return history.checks >= self.min_checks and float(undecided.mean()) < self.warning_share

    def _evidence(self, history: History, row: int, dead: NDArray[np.bool_], severity: Severity) -> Evidence:
        layer, own = history.spec.layers[row], history.unit_slices[row]
        units, share = history.units, float(dead.mean())
        threshold = self._shares.threshold(severity)
        closing = math.nan if share == 1 else threshold * HYSTERESIS
        # The units that kept the finding open may be fewer than those that opened it.
        lowest = threshold if share >= threshold else closing
        began = np.sort(units.silent_since[own][dead])
        # The finding began when the share of silent units reached the threshold.
        since = int(began[min(max(math.ceil(lowest * layer.units), 1), began.size) - 1])
        samples = int(units.silent_samples[own][dead].min())
        checks = int(units.silent_checks[own][dead].min())
        unborn = int(np.count_nonzero(units.last_active[own][dead] < 0))
        indices = np.flatnonzero(dead)
        origin = f"; {unborn} {'was' if unborn == 1 else 'were'} never active" if unborn else ""
        return Evidence(
            severity=severity,
            sign=DEAD_SHARE,
            value=share,
            threshold=threshold,
            closing_threshold=closing,
            samples=samples,
            checks=checks,
            since_step=since,
            message=(
                f"{percent(share)} of the units of {layer.name} ({indices.size} of {layer.units}) output zero "
                f"for every sample ({self._shares.in_words(severity, share)}), since step {since}{origin}."
            ),
            might_be_wrong=_witness(history, layer)
            or (
                "A unit that responds to one sample in thousands looks the same. Wide or strongly sparse layers can "
                "spare many units; if so, the validation score does not suffer."
            ),
            advice=_advice(layer, is_born_dead=unborn > indices.size / 2),
            units=tuple(int(index) for index in indices[:UNITS_LISTED]),
            unit_count=int(indices.size),
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return f"{percent(finding.value)} of units dead"

    @staticmethod
    def can_cause(finding: Finding, effect: str) -> bool:
        # Some dead units do not harm other layers, except that they shrink the gradient. A fully dead layer does.
        return finding.severity is not Severity.NOTE and (finding.value == 1 or effect == "vanishing_gradient")

    @staticmethod
    def explains_others(finding: Finding) -> bool:
        return finding.value == 1


def _witness(history: History, layer: LayerSpec) -> str:
    """What the optimizer's memory says about units that never received a gradient; "" if it says nothing."""
    rows = [row for row in history.weight_rows.get(layer.name, ()) if len(history.spec.weights[row].shape) > 1]
    shares = history.weight_stat("starved_fraction")[-1, rows].tolist() if rows else []
    share = max((share for share in shares if share > 0), default=0.0)
    if not share:
        return ""
    return (
        f"Unlikely for the units that never worked: according to the optimizer's memory, no gradient has ever reached "
        f"{percent(share)} of the units of {layer.name}."
    )


def _advice(layer: LayerSpec, *, is_born_dead: bool) -> str:
    if is_born_dead:
        return (
            f"The units were silent from the start. Check the bias and kernel initializers of {layer.name} and the "
            "scale and mean of its inputs; he_normal with zero bias and standardized inputs is the usual remedy."
        )
    return (
        "The units died during training. Try a smaller learning rate or a warm-up, gradient clipping, batch "
        f"normalization before {layer.name}, or leaky_relu instead of {layer.activation}: its units can recover."
    )
