"""Units of the ReLU family that output zero for every sample, for long enough to be sure."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.base import (
    ANYWHERE,
    BEFORE,
    FORWARD,
    HERE,
    Answers,
    AnyFinding,
    Cause,
    Earlier,
    Evidence,
    Label,
    LayerRule,
    Leader,
    OpenFinding,
    Sign,
    either,
    outcomes_of,
)
from tb_activations.health.rules.deaths import Death, end_of, explain
from tb_activations.health.rules.kernels import layer_maxima
from tb_activations.health.rules.rates import lower_rate
from tb_activations.health.rules.shares import HYSTERESIS, Shares
from tb_activations.health.rules.silence import hardly_fired, initial_biases
from tb_activations.health.rules.usual_causes import to_standardize
from tb_activations.health.rules.window import has_learned
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import percent

RELU_FAMILY = frozenset({"relu", "relu6", "hard_silu", "hard_swish", "sparse_plus", "threshold", "rectifier"})
"""Activations that are exactly zero on a half line. The gradient is zero there too, so a unit cannot recover."""

DEAD_SHARE = Sign("dead_share", "share of units dead", "share")
DEAD_OUTPUT = Sign("dead_output", "share of outputs dead", "share")
FEW_UNITS = 8
"""In smaller layers a share means little: three dead units of six are common. Only a fully dead layer counts."""

SMALL = 16
"""In smaller layers, half of the units may be dead by chance."""

SETTLED = 20
"""Observed steps before a part of a layer counts as lost: in the first ones, units often fall silent and return."""

_OF_OUTPUTS = (
    Cause("unfit_head", HERE),
    # Of equal inputs a unit is active on all or on none.
    Cause("collapsed_layer", BEFORE),
    Cause("exploding_gradient", ANYWHERE),
)
"""What a ReLU at the end dies of. A poor start is survived by other activations there, so it is not the cause."""


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
    signs: ClassVar[tuple[Sign, ...]] = (DEAD_SHARE, DEAD_OUTPUT)
    causes: ClassVar[tuple[Cause, ...]] = (Cause("poor_init", FORWARD), *_OF_OUTPUTS)
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
    lines: ClassVar[Mapping[str, tuple[str, ...]]] = {"silent_fraction": ("warning_share", "problem_share")}

    def judge(self, history: History, earlier: Earlier) -> Answers:
        dead, is_judged = self._dead(history), history.once("ReLU layers", _is_judged)
        is_whole_only = history.graph.is_head | (history.units_of < FEW_UNITS)
        is_born = history.unit_counts(history.units.born >= 0) > 0
        counts = history.unit_counts(dead)
        shares = counts / np.maximum(history.units_of, 1)
        outcomes = outcomes_of(
            (~is_judged, Outcome.NOT_APPLICABLE),
            (~is_born | ~self._is_sure(history), Outcome.INSUFFICIENT_DATA),
        )
        has_reached = (shares == 1) | (~is_whole_only & (shares >= self._shares.least))
        candidates = is_judged & is_born & either(has_reached, earlier)
        if history.has_lost_weights:
            # What is open stays as it was.
            outcomes[is_judged] = Outcome.INSUFFICIENT_DATA
            candidates[:] = False
        deaths = _deaths(history, dead, counts) if candidates.any() else None
        found, learned = {}, has_learned(history)
        for row in np.flatnonzero(candidates).tolist():
            share, before = float(shares[row]), earlier.get(row)
            severity = self._severity(share, before, whole_only=bool(is_whole_only[row]))
            if severity is not None and share < 1:
                is_spared = learned or history.units_of[row] < SMALL
                severity = _of_part(severity, is_settled=history.checks >= SETTLED, is_spared=is_spared)
            if severity is not None and deaths is not None:
                if share == 1 and before is not None and before.value == 1:
                    found[row] = deaths.repeated(row, before.evidence)
                else:
                    found[row] = self._evidence(history, row, share, deaths, severity)
        return Answers(outcomes, found)

    def _dead(self, history: History) -> NDArray[np.bool_]:
        units = history.units
        span = history.step - units.silent_since
        return (
            (units.silent_checks >= self.min_checks)
            & (units.silent_samples >= self.min_samples)
            & (span >= self.min_span * (history.step - history.first_step))
        )

    def _severity(self, share: float, earlier: OpenFinding | None, *, whole_only: bool) -> Severity | None:
        if share in (0, 1) or whole_only:
            return Severity.PROBLEM if share == 1 else None
        return self._shares.severity(share, earlier)

    @functools.cached_property
    def _shares(self) -> Shares:
        return Shares(self.note_share, self.warning_share, self.problem_share)

    def _is_sure(self, history: History) -> NDArray[np.bool_]:
        """`[layers]`: whether dead units would have been found by now, because few silent units are undecided."""
        undecided = (history.units.silent_checks > 0) & (history.units.silent_samples < self.min_samples)
        shares = history.unit_counts(undecided) / np.maximum(history.units_of, 1)
        return (shares < self.warning_share) & (history.checks >= self.min_checks)

    def _evidence(self, history: History, row: int, share: float, deaths: _Deaths, severity: Severity) -> Evidence:
        layer = history.spec.layers[row]
        threshold = self._shares.threshold(severity)
        closing = math.nan if share == 1 else threshold * HYSTERESIS
        # The units that kept the finding open may be fewer than those that opened it.
        lowest = threshold if share >= threshold else closing
        # The finding began when the share of silent units reached the threshold.
        since, unborn = deaths.since(row, math.ceil(lowest * layer.units)), deaths.unborn[row]
        own = deaths.dead[history.unit_slices[row]].copy()
        is_output = bool(history.graph.is_head[row])
        death = Death(
            since,
            unborn,
            deaths.starved[row],
            deaths.lower_rate,
            deaths.to_standardize,
            end_of(history) if is_output else "",
            deaths.hardly_fired[row],
            deaths.initial_bias[row],
        )
        return Evidence(
            severity=severity,
            sign=DEAD_OUTPUT if is_output else DEAD_SHARE,
            value=share,
            threshold=threshold,
            samples=int(deaths.samples[row]),
            checks=deaths.checks[row],
            since_step=since,
            explain=functools.partial(explain, self._shares, severity, share, layer, own, death),
            unit_count=deaths.counts[row],
            closing_threshold=closing,
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        what = "outputs" if finding.sign == DEAD_OUTPUT.id else "units"
        return f"{percent(finding.value)} of {what} dead"

    @classmethod
    def causes_of(cls, sign: str) -> tuple[Cause, ...]:
        return _OF_OUTPUTS if sign == DEAD_OUTPUT.id else cls.causes

    @staticmethod
    def bearing(value: float) -> float:
        return float(value == 1)

    @staticmethod
    def can_cause(finding: AnyFinding, effect: str) -> bool:
        # Some dead units do not harm other layers, except that they shrink the gradient. A fully dead layer does.
        return finding.severity is not Severity.NOTE and (finding.value == 1 or effect == "vanishing_gradient")

    @staticmethod
    def explains_others(finding: AnyFinding) -> bool:
        return finding.value == 1


class _Deaths(NamedTuple):
    """What is known of the dead units of all layers.

    Attributes:
        dead: `[units]`, whether a unit is dead.
        counts: by layer, number of dead units; 0 in the following ones if there are none.
        samples, checks: by layer, on how many all of them were silent.
        unborn: by layer, how many of them were never active.
        starved: by layer, the share of units that no gradient has reached according to the optimizer's memory.
        ends: by layer, where its dead units end in `began`.
        began: the steps since which the dead units are silent, layer by layer, the earliest first.
        lower_rate: a learning rate to try.
        to_standardize: advice on the scale of the data.
        hardly_fired: by layer, whether nearly all outputs were zero before the first step.
        initial_bias: by layer, the root mean square of the bias before the first step, NaN if unknown.
    """

    dead: NDArray[np.bool_]
    counts: list[int]
    samples: list[float]
    checks: list[int]
    unborn: list[int]
    starved: list[float]
    ends: list[int]
    began: list[int]
    lower_rate: float
    to_standardize: str
    hardly_fired: list[bool]
    initial_bias: list[float]

    def since(self, row: int, units: int) -> int:
        """The step since which this many units of the layer, at least one and at most all dead ones, are silent."""
        count = self.counts[row]
        return self.began[self.ends[row] - count + min(max(units, 1), count) - 1]

    def repeated(self, row: int, earlier: Evidence) -> Evidence:
        """The evidence for a layer that is still fully dead: only its age has changed."""
        return earlier._replace(samples=int(self.samples[row]), checks=self.checks[row])


def _deaths(history: History, dead: NDArray[np.bool_], counts: NDArray[np.int64]) -> _Deaths:
    units, longest = history.units, np.iinfo(np.int64).max
    samples = history.of_units(np.minimum, np.where(dead, units.silent_samples, np.inf), 0)
    checks = history.of_units(np.minimum, np.where(dead, units.silent_checks, longest), 0)
    # Sorted as one number per unit: the layer first, then the step.
    steps = history.step + 1
    keys = np.sort(np.repeat(np.arange(len(counts)), counts) * steps + units.silent_since[dead])
    return _Deaths(
        dead,
        counts.tolist(),
        samples.tolist(),
        checks.tolist(),
        history.unit_counts(dead & (units.last_active < 0)).tolist(),
        layer_maxima(history, "starved_fraction").tolist(),
        np.cumsum(counts).tolist(),
        (keys % steps).tolist(),
        lower_rate(history),
        to_standardize(history),
        hardly_fired(history).tolist(),
        initial_biases(history).tolist(),
    )


def _of_part(severity: Severity, *, is_settled: bool, is_spared: bool) -> Severity:
    """The severity for a part of a layer: a network that learns can spare half of it, but not most."""
    return Severity.NOTE if not is_settled or (is_spared and severity is not Severity.PROBLEM) else severity


def _is_judged(history: History) -> NDArray[np.bool_]:
    is_relu = np.array([layer.activation in RELU_FAMILY for layer in history.spec.layers], bool)
    result: NDArray[np.bool_] = is_relu & history.is_whole
    return result
