"""Kernels that start far too large or small for their inputs, and units that start as copies of each other."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import PEAK_CHECKS, History
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
    outcomes_of,
)
from tb_activations.health.rules.gains import LARGEST, Gain, gains_by_row, is_scaled, shows_start
from tb_activations.health.rules.kernels import is_kernel
from tb_activations.health.rules.outputs import is_output
from tb_activations.health.rules.usual_causes import to_standardize
from tb_activations.health.rules.window import has_learned, trailing_all
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number
from tb_activations.records.specs import LayerSpec

GAIN_HIGH = Sign("gain_high", "gain of the initial kernel, at most")
GAIN_LOW = Sign("gain_low", "gain of the initial kernel, at least")
DRIVE = Sign("drive", "gain of the initial kernel times the size of its inputs")
EQUAL = Sign("equal", "checks in which all units are equal", "count")

EQUAL_WITHIN = 1e-5
"""Means of units whose spread is below this share of the outputs' size are equal within the precision of float32."""

GROWN = 2.0
"""A kernel that has grown by this factor since the start is on its way from there."""

SATURATED = 0.5
"""With a larger saturated share, units may be equal only because they are at the same bound."""

FOR_HE = frozenset(
    ("relu", "relu6", "rectifier", "leaky_relu", "elu", "gelu", "silu", "mish", "hard_silu", "smooth rectifier")
)


class _Alarm(NamedTuple):
    """A limit that a layer exceeds; `bound` is "at least " or "at most " if only a bound of the value is known."""

    sign: Sign
    value: float
    threshold: float
    bound: str = ""


class _Start(NamedTuple):
    """What the weights before the first step say of the layers.

    Attributes:
        grouped: rows of the layers whose units may be copies of each other.
        alarms: by row a limit that the kernels of a layer exceed.
        is_judged: `[layers]`, whether a layer has kernels that are trained.
        is_zero: `[layers]`, whether all of them are zero.
    """

    grouped: list[int]
    alarms: dict[int, _Alarm]
    is_judged: NDArray[np.bool_]
    is_zero: NDArray[np.bool_]


class _State(NamedTuple):
    """Whether enough steps were observed to tell whether the network learns, and whether it does."""

    is_settled: bool
    has_learned: bool


@dataclasses.dataclass(frozen=True)
class PoorInit(LayerRule):
    """The gain is the kernel's root mean square times the square root of its fan-in.

    A gain of 1 keeps the size of the signal; He initialization has √2.

    Attributes:
        gain_high, gain_low: limits of the gain before the first step.
        drive: limit of the gain times the root mean square of the inputs, if that was measured.
        equal_checks: checks in a row in which all units must be equal.
        judged_until: up to this many observed steps, a value within `clear` times its limit is only a note, because
            networks learn from such starts; after them, every finding is a note if the loss is falling.
    """

    gain_high: float = LARGEST
    gain_low: float = 0.05
    drive: float = 30
    equal_checks: float = 10
    judged_until: float = 20
    clear: float = 4

    id: ClassVar[str] = "poor_init"
    title: ClassVar[str] = "Poor initialization"
    why: ClassVar[str] = (
        "A signal that shrinks or grows from layer to layer at the start costs the first epochs, or the whole training."
    )
    signs: ClassVar[tuple[Sign, ...]] = (GAIN_HIGH, GAIN_LOW, DRIVE, EQUAL)
    source: ClassVar[str] = (
        "LeCun et al. 1998 (inputs), Glorot & Bengio 2010, He et al. 2015 (gain); symmetry: Goodfellow et al. 2016, "
        "ch. 8"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "gain_high": (0, 1e12),
        "gain_low": (0, 1e12),
        "drive": (0, 1e12),
        "equal_checks": (2, 32),
        "judged_until": (1, 1e9),
        "clear": (1, 1e12),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "gain_high": Label("Largest gain before the first step", "times"),
        "gain_low": Label("Smallest gain before the first step", "times"),
        "drive": Label("Largest gain times size of the inputs"),
        "equal_checks": Label("Observed steps with equal units needed", "steps"),
        "judged_until": Label("Only a note within this many observed steps", "steps"),
        "clear": Label("Unless beyond the limit by this factor", "times"),
    }

    def judge(self, history: History, earlier: Earlier) -> Answers:
        is_known = shows_start(history)
        start = (
            history.once(("start", self), self._start) if is_known else _Start([], {}, _none(history), _none(history))
        )
        outcomes = outcomes_of((~start.is_judged, Outcome.NOT_APPLICABLE))
        state = _State(history.checks > self.judged_until, has_learned(history))
        found = {
            row: self._evidence(history, row, alarm, earlier.get(row), state) for row, alarm in start.alarms.items()
        }
        if not start.grouped:
            return Answers(outcomes, found)
        alike = _alike(history, start.is_zero)
        if history.checks < self.equal_checks:
            rows = np.array(start.grouped)
            outcomes[rows[alike[rows] > 0]] = Outcome.INSUFFICIENT_DATA
        is_new = (alike >= self.equal_checks) & (alike == history.checks)
        for row in np.flatnonzero(either(is_new, earlier) & (alike > 0) & _flags(len(alike), start.grouped)).tolist():
            known = earlier.get(row)
            value = known.value + 1 if known is not None else float(alike[row])
            found[row] = self._evidence(history, row, _Alarm(EQUAL, value, self.equal_checks), known, state)
        return Answers(outcomes, found)

    def _start(self, history: History) -> _Start:
        """What the weights before the first step say."""
        grouped, alarms = [], {}
        is_judged, is_zero = _none(history), _none(history)
        for row, gains in gains_by_row(history).items():
            layer = history.spec.layers[row]
            if not history.is_trained[row]:
                continue
            is_judged[row], is_zero[row] = True, all(gain.most == 0 for gain in gains)
            if not is_zero[row] and is_scaled(history, row):
                alarm = self._scale(gains, _input_size(history, row))
                if alarm is not None:
                    alarms[row] = alarm
                    continue
            if not history.graph.is_head[row] and layer.units >= 2:
                grouped.append(row)
        return _Start(grouped, alarms, is_judged, is_zero)

    def _scale(self, gains: list[Gain], size: float) -> _Alarm | None:
        """The limit that the scale of the kernels exceeds, given the size of the inputs (NaN if not measured)."""
        scaled = [gain for gain in gains if gain.most > 0]
        of_inputs = [gain for gain in scaled if gain.is_of_inputs]
        high, low = max(scaled, key=lambda gain: gain.least), min(scaled, key=lambda gain: gain.most)
        if high.least > self.gain_high:
            return _Alarm(GAIN_HIGH, high.least, self.gain_high, "" if high.is_exact else "at least ")
        if low.most < self.gain_low:
            return _Alarm(GAIN_LOW, low.most, self.gain_low, "" if low.is_exact else "at most ")
        drive = size * max((gain.least for gain in of_inputs), default=0.0)
        return _Alarm(DRIVE, drive, self.drive) if drive > self.drive else None

    def _evidence(
        self, history: History, row: int, alarm: _Alarm, earlier: OpenFinding | None, state: _State
    ) -> Evidence:
        learned = state.is_settled and state.has_learned
        is_mild = learned or not (state.is_settled or self._is_clear(alarm)) or self._is_on_purpose(history, row, alarm)
        size = _input_size(history, row) if alarm.sign == DRIVE else math.nan
        is_first = bool(history.once("first kernels", _takes_data)[row])
        return Evidence(
            severity=Severity.NOTE if is_mild else Severity.WARNING,
            sign=alarm.sign,
            value=alarm.value,
            threshold=alarm.threshold,
            samples=int(history.rows[-1, row]),
            checks=earlier.checks + 1 if earlier else history.checks,
            since_step=0,
            explain=functools.partial(
                _explain,
                history.spec.layers[row],
                alarm,
                size,
                to_standardize(history) if alarm.sign == DRIVE else "",
                is_first=is_first,
                learned=learned,
            ),
        )

    def _is_on_purpose(self, history: History, row: int, alarm: _Alarm) -> bool:
        """Whether a kernel starts small where that shrinks no signal that later layers need, and has time to grow.

        Heads start near zero so that the first answers are even (policies, actors), and branches next to a skip
        connection so that the block starts as the identity (adapters, LoRA, Fixup).
        """
        if alarm.sign != GAIN_LOW or not history.once("small starts", _may_start_small)[row]:
            return False
        return history.checks <= self.judged_until or _growth(history, row) >= GROWN

    def _is_clear(self, alarm: _Alarm) -> bool:
        """Whether the value is far beyond its limit."""
        if alarm.sign == EQUAL:
            return True
        ratio = alarm.value / alarm.threshold if alarm.threshold else math.inf
        return ratio >= self.clear or ratio <= 1 / self.clear

    @staticmethod
    def headline(finding: Finding) -> str:
        return {
            GAIN_HIGH.id: f"kernel starts too large (gain {number(finding.value)})",
            GAIN_LOW.id: f"kernel starts too small (gain {number(finding.value)})",
            DRIVE.id: f"inputs are too large (about {number(finding.value)} after the kernel)",
            EQUAL.id: "all units are copies of each other",
        }.get(finding.sign, f"starts badly ({number(finding.value)})")


def _input_size(history: History, row: int) -> float:
    """Root mean square of the layer's input at the first step, NaN if it was not measured."""
    assert history.first is not None
    return float(history.first.layer("input_rms")[row])


def _may_start_small(history: History) -> NDArray[np.bool_]:
    """`[layers]`: whether the layer is the head of a network, or the signal also takes a way around it."""
    # Products of numbers, because those of truth values are much slower.
    direct, reaches = (flags.astype(np.float32) for flags in (history.graph.direct, history.graph.reaches))
    # What an earlier layer feeds next to this one, and whether that joins the signal behind this one.
    parallel = (reaches.T @ direct > 0) & ~history.graph.reaches.T & ~np.eye(len(direct), dtype=bool)
    joins = parallel.astype(np.float32) @ reaches > 0
    result: NDArray[np.bool_] = is_output(history) | ((parallel | joins) & history.graph.reaches).any(axis=1)
    return result


def _growth(history: History, row: int) -> float:
    """By which factor the kernels of a layer have grown since the first step, NaN if unknown."""
    assert history.first is not None
    places = [
        at for at in history.weight_rows.get(history.spec.layers[row].name, []) if is_kernel(history.spec.weights[at])
    ]
    before, now = history.first.weight("weight_norm")[places], history.weight_stat("weight_norm")[-1, places]
    return float(np.linalg.norm(now) / np.linalg.norm(before)) if np.any(before > 0) else math.nan


def _alike(history: History, is_zero: NDArray[np.bool_]) -> NDArray[np.int64]:
    """`[layers]`: number of latest checks in a row in which all units were equal; zeros count only for `is_zero`."""
    means, deviations = history.stat("mean"), history.stat("std")
    size = np.hypot(means, deviations).astype(np.float64)
    spread = history.stat("unit_std").astype(np.float64)
    peaks = history.common_peaks
    is_equal = (spread <= EQUAL_WITHIN * size) & np.isfinite(size) & ~np.isnan(peaks)
    counts = trailing_all(is_equal)
    counts[history.latest("saturated_fraction") > SATURATED] = 0
    counts[~is_zero & ~np.any(peaks[-PEAK_CHECKS:] > 0, axis=0)] = 0
    return counts


def _takes_data(history: History) -> NDArray[np.bool_]:
    """`[layers]`: whether no layer with weights comes before."""
    has_weights = np.array([layer.parameters > 0 for layer in history.spec.layers], bool)
    result: NDArray[np.bool_] = ~history.graph.reaches[has_weights].any(axis=0)
    return result


def _none(history: History) -> NDArray[np.bool_]:
    return np.zeros(len(history.spec.layers), bool)


def _flags(count: int, rows: Sequence[int]) -> NDArray[np.bool_]:
    flags = np.zeros(count, bool)
    flags[list(rows)] = True
    return flags


def _explain(
    layer: LayerSpec, alarm: _Alarm, size: float, remedy: str, *, is_first: bool, learned: bool
) -> Explanation:
    sign, value, threshold, bound = alarm
    what = {
        GAIN_HIGH.id: f"its kernel has gain {bound}{number(value)} (threshold {number(threshold)})",
        GAIN_LOW.id: f"its kernel has gain {bound}{number(value)} (threshold {number(threshold)})",
        DRIVE.id: f"its inputs have root mean square {number(size)}, which its kernel "
        "turns into "
        f"about {number(value)} (estimated from its gain; threshold {number(threshold)})",
        EQUAL.id: f"all {layer.units} units output the same in {value:.0f} checks (threshold {number(threshold)})",
    }[sign.id]
    return Explanation(
        message=f"{layer.name} starts badly: {what}, since step 0.",
        might_be_wrong=_doubt(sign, learned=learned),
        advice=remedy + _advice(layer, sign, is_first=is_first),
    )


def _doubt(sign: Sign, *, learned: bool) -> str:
    if sign == EQUAL:
        return (
            "Layers with one output for all units (a broadcast scale) look the same. So does a branch not yet in use."
        )
    if learned:
        return "The loss is falling anyway: the optimizer has compensated."
    return (
        "Pretrained weights, networks scaled on purpose (Fixup, maximal update) and layers whose scale a later "
        "division cancels need no such gain."
    )


def _advice(layer: LayerSpec, sign: Sign, *, is_first: bool) -> str:
    if sign == EQUAL:
        return f"Initialize {layer.name} randomly: glorot_uniform or he_normal, not zeros, ones or another constant."
    if sign == DRIVE and not is_first:
        return (
            f"Use he_normal (relu) or glorot_uniform (tanh) for the kernels of the layers before {layer.name}, which "
            "enlarge the signal, and standardize the model's inputs; or normalize before it."
        )
    if sign == DRIVE:
        return (
            f"Standardize the inputs of {layer.name} (a Normalization layer adapted to the training data, or "
            "normalization before it): the size comes from the inputs, not from the kernel."
        )
    name = "he_normal" if layer.activation in FOR_HE else "glorot_uniform"
    return f"Use {name} for the kernel of {layer.name}: it keeps the size of the signal from layer to layer."
