"""Updates that are huge compared with the weights, a loss that blows up, and gradients that keep growing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import BLOCKS, History
from tb_activations.health.rules.base import (
    ANYWHERE,
    Cause,
    Evidence,
    Judged,
    Label,
    LayerRule,
    Leader,
    Sign,
    evidence_of,
)
from tb_activations.health.rules.elasticity import (
    SPREAD_OUT,
    comparable,
    elasticities,
    output_elasticity,
    passes_zero,
    reached_shares,
    rows_of_loss,
)
from tb_activations.health.rules.kernels import is_grown, kernel_steps
from tb_activations.health.rules.window import has_learned, rows_per_unit, trailing
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number, percent
from tb_activations.records.specs import LayerSpec

STEP = Sign("step", "update-to-weight ratio of a kernel")
LOSS = Sign("loss", "loss relative to its start")
ELASTICITY = Sign("elasticity", "elasticity of the loss (gradient norm x weight norm / loss)")
SIGNAL = Sign("signal", "size of the outputs before the first step, relative to the inputs")
GROWTH = Sign("growth", "growth of the gradient norm over the last windows")

RECENT = 5
"""Observed steps: the loss must have blown up in all of them, and the elasticity is their median."""

LASTS = 16
"""Observed steps for which one huge update counts: they come in bursts with calm steps in between."""

SLACK = 3.0
"""An open finding closes below the threshold divided by this, because elasticity fluctuates between checks."""

SETTLED = 3
"""In the first observed steps of a training, weights near zero may take huge steps, and a huge step that lets the
network learn is not an explosion."""

FEW_ROWS = 8
"""With fewer samples (times positions), the loss and gradient of a step are mostly noise."""

_HARMING = frozenset({"step", "loss"})
"""Signs whose damage outlasts them: such a finding stays open until the network learns."""

AMPLIFIED = 50.0
"""An elasticity below this many times that of the outputs is large only because the loss is small."""

USUAL_WIDTH = 32
"""Width and height of a kernel up to which its norm needs no correction."""


@dataclasses.dataclass(frozen=True)
class _Alarm:
    """One sign of an exploding gradient in a layer.

    Attributes:
        remark: how the value was computed, if that is unusual; begins with a comma.
    """

    sign: Sign
    value: float
    threshold: float
    severity: Severity
    since_step: int
    remark: str = ""
    closing: float = math.nan


@dataclasses.dataclass(frozen=True)
class _Pull:
    """How strongly the loss depends on the layers.

    Attributes:
        steps: the observed steps that were used.
        median: `[layers]` median elasticity over these steps, NaN while there are too few.
        amplified: `[layers]` median ratio of elasticity to the elasticity of the outputs, infinite if that is unknown.
            For kernels larger than `USUAL_WIDTH` squared, divided by their width relative to `USUAL_WIDTH`.
        shares: `[layers]` share of the weights that the gradient reaches at the latest of these steps.
        is_swinging: whether the loss passes through zero.
    """

    steps: NDArray[np.int64]
    median: NDArray[np.float64]
    amplified: NDArray[np.float64]
    shares: NDArray[np.float64]
    is_swinging: bool


@dataclasses.dataclass(frozen=True)
class ExplodingGradient(LayerRule):
    """Attributes:
    step: limit of a kernel's update, relative to the kernel's norm.
    loss: limit of the loss relative to its start, exceeded in several checks in a row.
    elasticity: limit of ‖gradient‖·‖weights‖ / loss while the loss has not halved.
    signal: limit of a hidden layer's outputs relative to the inputs before the first step, if the elasticity is above
        `strained`.
    growth: limit of the growth from each window of 8 checks to the next, exceeded five times in a row.
    """

    step: float = 10
    loss: float = 100
    elasticity: float = 100
    signal: float = 1000
    strained: float = 20
    growth: float = 2

    id: ClassVar[str] = "exploding_gradient"
    title: ClassVar[str] = "Exploding gradient"
    why: ClassVar[str] = "One huge step can undo what many steps have learned, and often ends in NaN."
    signs: ClassVar[tuple[Sign, ...]] = (STEP, LOSS, ELASTICITY, SIGNAL, GROWTH)
    causes: ClassVar[tuple[Cause, ...]] = (Cause("poor_init", ANYWHERE),)
    leader: ClassVar[Leader | None] = "largest"
    source: ClassVar[str] = (
        "Bengio et al. 1994, Pascanu et al. 2013; growth over windows: Ben Braiek & Khomh 2023; step size instead of "
        "gradient size, because gradient spikes are common"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "step": (0, 1e12),
        "loss": (1, 1e12),
        "elasticity": (0, 1e12),
        "signal": (0, 1e12),
        "strained": (0, 1e12),
        "growth": (1, 1e6),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "step": Label("Largest update of a kernel, relative to its norm"),
        "loss": Label("Largest loss, relative to its start", "times"),
        "elasticity": Label("Largest elasticity while the loss has not halved"),
        "signal": Label("Largest output, relative to the inputs", "times"),
        "strained": Label("Outputs count only above this elasticity"),
        "growth": Label("Largest growth from window to window", "times"),
    }

    def judge(self, history: History, earlier: Sequence[Finding | None]) -> list[Judged]:
        steps = _steps(history)
        pull, tension = _pull(history, FEW_ROWS), _pull(history, 0).median
        loss = float(np.median(history.losses[-RECENT:]))
        sizes = _signal(history)
        blown_up = self._loss_sign(history)
        culprit = _nearest_to_trouble(history, steps, tension)
        may_alarm = self._candidates(history, steps, pull, sizes)
        if blown_up is not None:
            may_alarm[culprit] = True
        is_known = np.isfinite(history.stat("weight_gradient_norm")).sum(axis=0) > 0
        answers: list[Judged] = []
        for row, layer in enumerate(history.spec.layers):
            if layer.call_site or not layer.trainable:
                answers.append(Outcome.NOT_APPLICABLE)
                continue
            if not may_alarm[row] and earlier[row] is None:
                # Of a thousand layers, few give reason to look closer.
                answers.append(Outcome.OK if is_known[row] else Outcome.INSUFFICIENT_DATA)
                continue
            slack = SLACK if earlier[row] else 1.0
            has_fallen = _has_fallen(history, loss, slack)
            # The loss does not depend on the scale of a kernel before a normalization.
            is_scale_free = history.graph.is_normalized[row]
            alarms = [
                self._step_sign(steps[:, row], history),
                blown_up if row == culprit else None,
                None if is_scale_free else self._elasticity_sign(pull, row, slack, has_fallen=has_fallen),
                self._signal_sign(sizes[row], tension[row] * slack),
                self._growth_sign(history, row),
            ]
            answers.append(self._answer(history, row, [alarm for alarm in alarms if alarm], earlier[row]))
        return answers

    def _candidates(
        self, history: History, steps: NDArray[np.float64], pull: _Pull, sizes: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """`[layers]`, false where no sign is possible."""
        blocks = history.gradient_blocks
        largest = np.fmax.reduce(steps, axis=0, initial=-np.inf)
        may_alarm: NDArray[np.bool_] = (pull.median > self.elasticity) | (sizes > self.signal) | (largest > self.step)
        if len(blocks) >= BLOCKS:
            may_alarm |= blocks[-1] >= self.growth * blocks[-2]
        return may_alarm

    def _answer(self, history: History, row: int, alarms: Sequence[_Alarm], earlier: Finding | None) -> Judged:
        if alarms:
            worst = max(alarms, key=lambda alarm: alarm.severity is Severity.PROBLEM)
            return _evidence(history, row, worst, earlier)
        if earlier is not None and earlier.sign in _HARMING and not has_learned(history):
            return dataclasses.replace(evidence_of(earlier, self.signs), checks=earlier.checks + 1)
        norms = history.stat("weight_gradient_norm")[:, row]
        return Outcome.OK if np.any(np.isfinite(norms)) else Outcome.INSUFFICIENT_DATA

    def _step_sign(self, steps: NDArray[np.float64], history: History) -> _Alarm | None:
        if not np.any(steps > self.step):
            return None
        began = int(history.steps[-len(steps) :][steps > self.step][0])
        return _Alarm(STEP, float(np.nanmax(steps)), self.step, Severity.PROBLEM, began)

    def _loss_sign(self, history: History) -> _Alarm | None:
        recent = history.losses[-RECENT:]
        if history.total("loss_nonfinite")[-1] == 1:
            return self._overflow_sign(history)
        # Losses of both signs may start near zero by chance. Their mean size is a better scale than their mean.
        start = history.initial_size
        if len(recent) < RECENT or not start > 0 or not np.all(np.isfinite(recent)):
            return None
        ratio = float(recent.min() / start)
        if ratio <= self.loss:
            return None
        severity = Severity.PROBLEM if ratio > 10 * self.loss else Severity.WARNING
        return _Alarm(LOSS, ratio, self.loss, severity, int(history.steps[-RECENT]))

    def _overflow_sign(self, history: History) -> _Alarm | None:
        """A loss that grew without bound until it was no longer finite, faster than `RECENT` steps."""
        losses, first = np.abs(history.losses), abs(history.first.total("loss")) if history.first else np.nan
        ratios = losses / first if first > 0 else np.full(len(losses), np.nan)
        last = int(np.flatnonzero(np.isfinite(losses))[-1]) if np.isfinite(losses).any() else -1
        if last < 0 or not ratios[last] > self.loss:
            return None
        began = last - trailing(ratios[: last + 1] > self.loss) + 1
        return _Alarm(LOSS, float(ratios[last]), self.loss, Severity.PROBLEM, int(history.steps[began]))

    def _elasticity_sign(self, pull: _Pull, row: int, slack: float, *, has_fallen: bool) -> _Alarm | None:
        value, share = float(pull.median[row]), float(pull.shares[row])
        if not slack * value > self.elasticity or not slack * pull.amplified[row] > AMPLIFIED or has_fallen:
            return None
        closing = self.elasticity / SLACK
        remarks = [] if value > self.elasticity else [f"closes at {number(closing)}"]
        if share < SPREAD_OUT:
            remarks.append(f"estimated for the {percent(share)} of its weights that the gradient reaches")
        if pull.is_swinging:
            remarks.append("relative to the range of a loss that passes through zero")
        return _Alarm(
            ELASTICITY,
            value,
            self.elasticity,
            Severity.WARNING,
            int(pull.steps[0]),
            "".join(f", {remark}" for remark in remarks),
            closing,
        )

    def _signal_sign(self, size: float, tension: float) -> _Alarm | None:
        if not (size > self.signal and tension > self.strained):
            return None
        return _Alarm(SIGNAL, size, self.signal, Severity.WARNING, 0)

    def _growth_sign(self, history: History, row: int) -> _Alarm | None:
        norms = history.gradient_blocks[:, row]
        if len(norms) < BLOCKS or not np.all(norms > 0):
            return None
        factors = norms[1:] / norms[:-1]
        if not np.all(factors >= self.growth) or history.loss < history.initial_loss:
            return None
        return _Alarm(GROWTH, float(factors.min()), self.growth, Severity.WARNING, int(history.steps[0]))

    @staticmethod
    def headline(finding: Finding) -> str:
        return {
            STEP.id: f"a step of {number(finding.value)} times the weights",
            LOSS.id: f"loss {number(finding.value)} times its start",
            ELASTICITY.id: f"gradient explodes (elasticity {number(finding.value)})",
            SIGNAL.id: f"outputs {number(finding.value)} times the inputs",
            GROWTH.id: "gradient doubles window after window",
        }.get(finding.sign, f"gradient explodes ({number(finding.value)})")


def _steps(history: History) -> NDArray[np.float64]:
    """`[checks, layers]`: the sizes of the latest steps that may be explosions, NaN for the others."""
    kept = min(LASTS, history.checks)
    if history.checks - kept >= SETTLED:
        return kernel_steps(history, kept)
    counted = is_grown(history, kept)
    early = max(SETTLED - (history.checks - kept), 0)
    counted[:early] &= not has_learned(history)
    counted[early:] = True
    return kernel_steps(history, kept, counted)


def _pull(history: History, few: int) -> _Pull:
    """Computed over the latest checks that have at least `few` rows each."""
    table = elasticities(history)
    places = np.flatnonzero(rows_of_loss(history) >= few)[-RECENT:]
    if len(places) < RECENT:
        unknown = np.full(table.shape[1], np.nan)
        return _Pull(history.steps[places], unknown, unknown, unknown, is_swinging=False)
    shares = reached_shares(history)[places]
    recent, outputs = comparable(table[places], shares), output_elasticity(history)[places, None]
    ratios = np.full(recent.shape, np.inf)
    np.divide(recent, outputs, out=ratios, where=outputs > 0)
    # A gradient has few directions, so the norm of a large kernel overstates how much the gradient can change it.
    reached = history.weight_elements * np.minimum(shares[-1] / SPREAD_OUT, 1.0)
    ratios /= np.maximum(np.sqrt(reached) / USUAL_WIDTH, 1.0)
    # One NaN makes the median NaN: non-finite values are left to another rule.
    return _Pull(
        history.steps[places],
        np.median(recent, axis=0),
        np.median(ratios, axis=0),
        shares[-1],
        is_swinging=passes_zero(history),
    )


def _has_fallen(history: History, loss: float, slack: float) -> bool:
    """Whether the loss has halved; a loss that starts negative must fall by half of its initial size."""
    start = history.initial_loss
    return bool(loss < start - abs(start) * (1 - 0.5 / slack))


def _signal(history: History) -> NDArray[np.float64]:
    """`[layers]`: root mean square of the outputs at step 0, relative to the model's first floating-point input.

    NaN if unknown, for heads (the targets set their scale), and for layers whose scale a normalization removes.
    """
    first = history.first
    if first is None or first.step:
        return np.full(len(history.spec.layers), np.nan)
    sizes = np.hypot(first.layer("mean").astype(np.float64), first.layer("std").astype(np.float64))
    is_judged = ~(history.graph.is_head | history.graph.is_normalized)
    inputs = first.total("input_rms")
    return np.where(is_judged & (inputs > 0), sizes / (inputs or np.nan), np.nan)


def _nearest_to_trouble(history: History, steps: NDArray[np.float64], tension: NDArray[np.float64]) -> int:
    """The row of the layer that is blamed for a blown-up loss: the one that moved most, else the most elastic one.

    -1 if no layer moved.
    """
    moved = np.fmax.reduce(steps, axis=0, initial=-1.0)
    for candidates in (moved, tension, history.latest("update_ratio").astype(np.float64)):
        usable = np.where(np.isfinite(candidates), candidates, -1.0)
        if usable.max(initial=-1.0) > 0:
            return int(np.argmax(usable))
    return -1


def _evidence(history: History, row: int, alarm: _Alarm, earlier: Finding | None) -> Evidence:
    layer, rate = history.spec.layers[row], history.total("learning_rate")[-1]
    began = earlier.since_step if earlier else alarm.since_step
    what = {
        STEP.id: f"one step changed a kernel of {layer.name} by {number(alarm.value)} times its norm",
        LOSS.id: f"the loss is {number(alarm.value)} times what it was at the start, and {layer.name} moves most",
        ELASTICITY.id: f"elasticity of {layer.name} is {number(alarm.value)}: a change of 1% of its weights moves "
        "the loss "
        f"by up to {number(alarm.value)}%",
        SIGNAL.id: f"its outputs started {number(alarm.value)} times as large as the model's first floating-point "
        "input",
        GROWTH.id: f"the gradient at {layer.name} has grown {number(alarm.value)} times or more in each of five "
        "windows",
    }[alarm.sign.id]
    return Evidence(
        severity=alarm.severity,
        sign=alarm.sign,
        value=alarm.value,
        threshold=alarm.threshold,
        closing_threshold=alarm.closing,
        samples=int(rows_per_unit(history, row)[-1]),
        checks=earlier.checks + 1 if earlier else int(np.count_nonzero(history.steps >= began)),
        since_step=began,
        message=(
            f"The gradient explodes at {layer.name}: {what} (threshold {number(alarm.threshold)}{alarm.remark}), since "
            f"step {began}. The learning rate is {number(rate)}."
        ),
        might_be_wrong=(
            "A single bad batch, or weights that start close to zero, can cause one such step and recover. A loss that "
            "starts near zero (fine-tuning) can grow a lot and still be small."
        ),
        advice=_advice(layer, rate),
    )


def _advice(layer: LayerSpec, rate: float) -> str:
    recurrent = any(part in layer.class_name for part in ("RNN", "LSTM", "GRU"))
    extra = (
        " Shorter sequences, an orthogonal recurrent initializer or an LSTM keep it bounded in time."
        if recurrent
        else ""
    )
    return (
        f"Clip gradients (clipnorm=1.0), lower the learning rate from {number(rate)} (try a tenth), warm it up, use an "
        f"initializer that keeps the size of the signal in {layer.name} (he_normal for relu, glorot_uniform for tanh), "
        f"and standardize inputs and targets.{extra}"
    )
