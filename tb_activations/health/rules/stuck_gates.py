"""Gates of recurrent layers that are always open or always closed, and candidates that are always the same."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.base import (
    ANYWHERE,
    HERE,
    Answers,
    Cause,
    Earlier,
    Evidence,
    Explanation,
    Label,
    LayerRule,
    Sign,
    either,
    limit_in_words,
    outcomes_of,
)
from tb_activations.health.rules.gating import SWITCHES
from tb_activations.health.rules.usual_causes import to_standardize
from tb_activations.health.rules.window import has_learned, medians, since
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number, percent
from tb_activations.records.specs import LayerSpec

HYSTERESIS = 0.95
LATEST = 12
"""Observed steps whose median is judged, because only a gate that stays where it is is stuck."""

CLOSED = Sign("closed", "share of gate values near 0", "share")
OPEN = Sign("open", "share of gate values near 1", "share")
CONSTANT = Sign("constant", "spread of the candidate over samples")


class _State(NamedTuple):
    """What it means that a gate is stuck."""

    severity: Severity
    effect: str


_STUCK: Mapping[tuple[str, str], _State] = {
    ("input_gate", CLOSED.id): _State(Severity.PROBLEM, "so no input enters the state"),
    ("input_gate", OPEN.id): _State(Severity.NOTE, "so every input enters the state"),
    ("forget_gate", CLOSED.id): _State(Severity.WARNING, "so the state is lost at every time step"),
    ("forget_gate", OPEN.id): _State(Severity.NOTE, "so the state is never reset and adds up"),
    ("output_gate", CLOSED.id): _State(Severity.PROBLEM, "so the layer outputs nothing"),
    ("update_gate", OPEN.id): _State(Severity.PROBLEM, "so the state never changes"),
    ("update_gate", CLOSED.id): _State(Severity.WARNING, "so the state is lost at every time step"),
    ("reset_gate", CLOSED.id): _State(Severity.NOTE, "so the candidate ignores the state"),
    ("candidate", CONSTANT.id): _State(Severity.PROBLEM, "so nothing new enters the state"),
}
"""By gate and sign. A combination without an entry does no harm, such as an open output gate."""


@dataclasses.dataclass(frozen=True)
class StuckGates(LayerRule):
    """Thresholds apply to medians over the last 12 checks.

    Attributes:
        stuck_share: of the values of a gate in the outer 5% of its range, all at the same end.
        constant_spread: at most this spread over samples makes a candidate constant.
        min_checks: observed steps needed.
    """

    stuck_share: float = 0.95
    constant_spread: float = 1e-3
    min_checks: float = 6

    id: ClassVar[str] = "stuck_gates"
    title: ClassVar[str] = "Stuck gates"
    why: ClassVar[str] = "A gate that never moves switches a part of the recurrent layer on or off for good."
    signs: ClassVar[tuple[Sign, ...]] = (CLOSED, OPEN, CONSTANT)
    causes: ClassVar[tuple[Cause, ...]] = (Cause("poor_init", HERE), Cause("exploding_gradient", ANYWHERE))
    source: ClassVar[str] = (
        "Karpathy, Johnson & Fei-Fei 2015, 'Visualizing and Understanding Recurrent Networks' (gate saturation: left "
        "below 0.1, right above 0.9); Gers, Schmidhuber & Cummins 2000 (forget gates)"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "stuck_share": (0.5, 1),
        "constant_spread": (0, 1),
        "min_checks": (1, 12),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "stuck_share": Label("Stuck from this part of the values", "share"),
        "constant_spread": Label("Constant up to this spread"),
        "min_checks": Label("Observed steps needed", "steps"),
    }

    def judge(self, history: History, earlier: Earlier) -> Answers:
        is_gate, is_candidate = history.once("gates", _gates)
        is_judged = is_gate | is_candidate
        if not is_judged.any():
            return Answers(np.full(len(is_judged), Outcome.NOT_APPLICABLE, np.uint8), {})
        shares, counts = medians(history.stat("saturated_fraction")[-LATEST:])
        means, _ = medians(history.stat("mean")[-LATEST:])
        spreads, spread_counts = medians(history.stat("sample_std")[-LATEST:])
        counts = np.where(is_candidate, spread_counts, counts)
        outcomes = outcomes_of(
            (~is_judged | (counts == 0), Outcome.NOT_APPLICABLE), (counts < self.min_checks, Outcome.INSUFFICIENT_DATA)
        )
        is_stuck = (is_gate & (shares >= self.stuck_share)) | (is_candidate & (spreads <= self.constant_spread))
        learned, found = has_learned(history), {}
        sure = is_judged & (counts >= self.min_checks)
        for row in np.flatnonzero(sure & either(is_stuck, earlier)).tolist():
            sign = CONSTANT if is_candidate[row] else CLOSED if means[row] < _MIDDLE else OPEN
            value = float(spreads[row] if is_candidate[row] else shares[row])
            evidence = self._evidence(history, row, sign, value, earlier, learned=learned)
            if evidence is not None:
                found[row] = evidence
        return Answers(outcomes, found)

    def _evidence(
        self, history: History, row: int, sign: Sign, value: float, earlier: Earlier, *, learned: bool
    ) -> Evidence | None:
        layer, before = history.spec.layers[row], earlier.get(row)
        state = _STUCK.get((_gate(layer), sign.id))
        is_constant = sign is CONSTANT
        threshold = self.constant_spread if is_constant else self.stuck_share
        closing = threshold / HYSTERESIS if is_constant else threshold * HYSTERESIS
        limit = closing if before else threshold
        if state is None or not (value <= limit if is_constant else value >= limit):
            return None
        values = history.stat("sample_std" if is_constant else "saturated_fraction")[:, row]
        flags = values <= closing if is_constant else values >= closing
        # A gate may be meant to stay where it is as long as the network learns.
        milder = {Severity.PROBLEM: Severity.WARNING}.get(state.severity, Severity.NOTE)
        began = before.since_step if before else since(history, flags)
        is_eased = value > threshold if is_constant else value < threshold
        return Evidence(
            severity=milder if learned else state.severity,
            sign=sign,
            value=value,
            threshold=threshold,
            samples=int(history.row_sums[row]),
            checks=before.checks + 1 if before else int(np.count_nonzero(flags)),
            since_step=began,
            explain=functools.partial(
                _explain,
                layer,
                sign,
                value,
                limit_in_words(threshold, closing, is_eased=is_eased, unit=sign.unit),
                state.effect,
                began,
                to_standardize(history),
            ),
            closing_threshold=closing,
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        if finding.sign == CONSTANT.id:
            return "candidate never changes"
        return f"always {finding.sign} ({percent(finding.value)} of gate values)"


_MIDDLE = 0.5


def _gate(layer: LayerSpec) -> str:
    return layer.name.rpartition("/")[2]


def _gates(history: History) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """`[layers]` each: gates that run from closed to open, and candidates."""
    known = {gate for gate, _ in _STUCK}
    parts = [bool(layer.part_of) and _gate(layer) in known for layer in history.spec.layers]
    is_switch = [layer.is_gate and layer.activation in SWITCHES for layer in history.spec.layers]
    is_candidate = [layer.class_name == "Candidate" for layer in history.spec.layers]
    return np.array(parts, bool) & np.array(is_switch, bool), np.array(parts, bool) & np.array(is_candidate, bool)


def _explain(
    layer: LayerSpec, sign: Sign, value: float, limit: str, effect: str, began: int, standardize: str
) -> Explanation:
    if sign is CONSTANT:
        message = (
            f"{layer.name} hardly depends on the input: its spread over samples is {number(value)} ({limit}), "
            f"{effect}, since step {began}."
        )
    else:
        end = "0" if sign is CLOSED else "1"
        message = (
            f"{percent(value)} of the values of {layer.name} are near {end} ({limit}), {effect}, since step {began}."
        )
    return Explanation(
        message=message,
        might_be_wrong=(
            "Some tasks need no memory, or all of it; then a gate that never moves is a solution. A bias may also "
            "have been chosen to start that way."
        ),
        advice=(
            f"{standardize}Check the biases of {layer.part_of} and what initializes them, and lower the learning "
            "rate: large steps push gates to their ends, where hardly any gradient brings them back. The default "
            "initializers with unit_forget_bias=True start all gates near the middle."
        ),
    )
