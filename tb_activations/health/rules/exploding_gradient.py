"""Updates that are huge compared with the weights, a loss that blows up, and gradients that keep growing."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import BLOCKS, History
from tb_activations.health.rules.base import (
    ANYWHERE,
    Answers,
    Cause,
    Earlier,
    Evidence,
    Explanation,
    Label,
    LayerRule,
    Leader,
    OpenFinding,
    Sign,
    either,
    outcomes_of,
)
from tb_activations.health.rules.batch_row import dominant_row, dominant_row_in_words
from tb_activations.health.rules.elasticity import SPREAD_OUT
from tb_activations.health.rules.explosion import Alarm, Remedies, Scene, advice
from tb_activations.health.rules.gains import too_large
from tb_activations.health.rules.kernels import is_grown, kernel_growth, kernel_steps
from tb_activations.health.rules.pull import RECENT, Pull, pull, signal_sizes
from tb_activations.health.rules.rates import clipping, is_beyond_rates, lower_rate, rate_now
from tb_activations.health.rules.usual_causes import to_standardize
from tb_activations.health.rules.window import has_learned, trailing
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number, percent
from tb_activations.records.specs import LayerSpec

STEP = Sign("step", "update-to-weight ratio of a kernel")
WEIGHTS = Sign("weights", "growth of a kernel's norm from one observed step to the next")
LOSS = Sign("loss", "loss relative to its start")
ELASTICITY = Sign("elasticity", "elasticity of the loss (gradient norm x weight norm / loss)")
SIGNAL = Sign("signal", "size of the outputs before the first step, relative to the inputs")
GROWTH = Sign("growth", "growth of the gradient norm over the last windows")

LASTS = 16
"""Observed steps for which one huge update counts: they come in bursts with calm steps in between."""

SLACK = 3.0
"""An open finding closes below the threshold divided by this, because elasticity fluctuates between checks."""

SETTLED = 3
"""In the first observed steps of a training, weights near zero may take huge steps, and a huge step that lets the
network learn is not an explosion."""

FAR = 0.1
"""A loss blows up by steps larger than this share of a layer's weights; usual ones are a hundred times smaller."""

FEW_ROWS = 8
"""With fewer samples (times positions), the loss and gradient of a step are mostly noise."""

_HARMING = frozenset({"step", "weights", "loss"})
"""Signs whose damage outlasts them: such a finding stays open until the network learns."""

AMPLIFIED = 50.0
"""An elasticity below this many times that of the outputs is large only because the loss is small."""


@dataclasses.dataclass(frozen=True)
class ExplodingGradient(LayerRule):
    """Attributes:
    step: limit of a kernel's update, relative to the kernel's norm.
    weights: limit of the growth of a kernel's norm from one observed step to the next; the steps that made it grow were
        not observed.
    loss: limit of the loss relative to its start, exceeded in several checks in a row.
    elasticity: limit of ‖gradient‖·‖weights‖ / loss while the loss has not halved.
    signal: limit of a hidden layer's outputs relative to the inputs before the first step, if the elasticity is above
        `strained`.
    growth: limit of the growth from each window of 8 checks to the next, exceeded five times in a row.
    """

    step: float = 10
    weights: float = 100
    loss: float = 100
    elasticity: float = 100
    signal: float = 1000
    strained: float = 20
    growth: float = 2

    id: ClassVar[str] = "exploding_gradient"
    title: ClassVar[str] = "Exploding gradient"
    why: ClassVar[str] = "One huge step can undo what many steps have learned, and often ends in NaN."
    signs: ClassVar[tuple[Sign, ...]] = (STEP, WEIGHTS, LOSS, ELASTICITY, SIGNAL, GROWTH)
    causes: ClassVar[tuple[Cause, ...]] = (Cause("learning_rate", ANYWHERE), Cause("poor_init", ANYWHERE))
    leader: ClassVar[Leader | None] = "largest"
    source: ClassVar[str] = (
        "Bengio et al. 1994, Pascanu et al. 2013; growth over windows: Ben Braiek & Khomh 2023; step size instead of "
        "gradient size, because gradient spikes are common"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "step": (0, 1e12),
        "weights": (1, 1e12),
        "loss": (1, 1e12),
        "elasticity": (0, 1e12),
        "signal": (0, 1e12),
        "strained": (0, 1e12),
        "growth": (1, 1e6),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "step": Label("Largest update of a kernel, relative to its norm"),
        "weights": Label("Largest growth of a kernel between observed steps", "times"),
        "loss": Label("Largest loss, relative to its start", "times"),
        "elasticity": Label("Largest elasticity while the loss has not halved"),
        "signal": Label("Largest output, relative to the inputs", "times"),
        "strained": Label("Outputs count only above this elasticity"),
        "growth": Label("Largest growth from window to window", "times"),
    }
    lines: ClassVar[Mapping[str, tuple[str, ...]]] = {"update_ratio": ("step",), "elasticity": ("elasticity",)}

    def judge(self, history: History, earlier: Earlier) -> Answers:
        scene = self._scene(history)
        may_alarm = self._candidates(history, scene)
        if scene.blown_up is not None:
            may_alarm[scene.culprit] = True
        outcomes = outcomes_of(
            (~history.is_trained, Outcome.NOT_APPLICABLE), (~scene.is_known, Outcome.INSUFFICIENT_DATA)
        )
        found = {}
        # Of a thousand layers, few give reason to look closer.
        for row in np.flatnonzero(history.is_trained & either(may_alarm, earlier)).tolist():
            evidence = self._answer(
                history,
                row,
                self._alarms(history, row, scene, earlier.get(row)),
                earlier.get(row),
                learned=scene.has_learned,
            )
            if evidence is not None:
                found[row] = evidence
        return Answers(outcomes, found)

    def _scene(self, history: History) -> Scene:
        steps, tension = _steps(history), pull(history, 0).median
        largest = np.fmax.reduce(steps, axis=0, initial=-np.inf)
        return Scene(
            steps=steps,
            largest=largest,
            swollen=history.once_a_step("kernel growth", lambda _: kernel_growth(history, LASTS)),
            pull=pull(history, FEW_ROWS),
            tension=tension,
            sizes=history.once("signal sizes", signal_sizes),
            growth=self._growth(history),
            blown_up=self._loss_sign(history) if _moves_far(history, largest) else None,
            culprit=_nearest_to_trouble(history, steps, tension),
            is_known=np.isfinite(history.stat("weight_gradient_norm")).sum(axis=0) > 0,
            has_fallen={slack: _has_fallen(history, slack) for slack in (1.0, SLACK)},
            has_learned=has_learned(history),
        )

    def _alarms(self, history: History, row: int, scene: Scene, earlier: OpenFinding | None) -> list[Alarm]:
        slack = SLACK if earlier else 1.0
        has_fallen = scene.has_fallen[slack]
        # The loss does not depend on the scale of a kernel before a normalization.
        is_scale_free = history.graph.is_normalized[row]
        alarms = [
            self._step_sign(scene.steps[:, row], history) if scene.largest[row] > self.step else None,
            self._weights_sign(history, row, float(scene.swollen[row])),
            scene.blown_up if row == scene.culprit else None,
            None if is_scale_free else self._elasticity_sign(scene.pull, row, slack, has_fallen=has_fallen),
            self._signal_sign(float(scene.sizes[row]), scene.tension[row] * slack),
            self._growth_sign(history, float(scene.growth[row])),
        ]
        return [alarm for alarm in alarms if alarm]

    def _candidates(self, history: History, scene: Scene) -> NDArray[np.bool_]:
        """`[layers]`, false where no sign is possible."""
        may_alarm: NDArray[np.bool_] = (
            (scene.pull.median > self.elasticity) | (scene.sizes > self.signal) | (scene.largest > self.step)
        )
        may_alarm |= scene.swollen > self.weights
        return may_alarm | (scene.growth >= self.growth)

    def _answer(
        self, history: History, row: int, alarms: Sequence[Alarm], earlier: OpenFinding | None, *, learned: bool
    ) -> Evidence | None:
        if alarms:
            worst = max(alarms, key=lambda alarm: alarm.severity is Severity.PROBLEM)
            return _evidence(history, row, worst, earlier)
        if earlier is not None and earlier.sign in _HARMING and not learned:
            # The damage lasts; no further step shows the sign itself.
            return earlier.evidence
        return None

    def _step_sign(self, steps: NDArray[np.float64], history: History) -> Alarm | None:
        if not np.any(steps > self.step):
            return None
        began = int(history.steps[-len(steps) :][steps > self.step][0])
        is_present = bool(steps[-1] > self.step)
        return Alarm(STEP, float(np.nanmax(steps)), self.step, Severity.PROBLEM, began, is_present=is_present)

    def _weights_sign(self, history: History, row: int, factor: float) -> Alarm | None:
        if not factor > self.weights:
            return None
        is_present = bool(kernel_growth(history, 2)[row] > self.weights)
        return Alarm(WEIGHTS, factor, self.weights, Severity.PROBLEM, history.step, is_present=is_present)

    def _loss_sign(self, history: History) -> Alarm | None:
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
        return Alarm(LOSS, ratio, self.loss, severity, int(history.steps[-RECENT]))

    def _overflow_sign(self, history: History) -> Alarm | None:
        """A loss that grew without bound until it was no longer finite, faster than `RECENT` steps."""
        losses, first = np.abs(history.losses), abs(history.first.total("loss")) if history.first else np.nan
        ratios = losses / first if 0 < first < np.inf else np.full(len(losses), np.nan)
        last = int(np.flatnonzero(np.isfinite(losses))[-1]) if np.isfinite(losses).any() else -1
        if last < 0 or not ratios[last] > self.loss:
            return None
        began = last - trailing(ratios[: last + 1] > self.loss) + 1
        return Alarm(LOSS, float(ratios[last]), self.loss, Severity.PROBLEM, int(history.steps[began]))

    def _elasticity_sign(self, pull: Pull, row: int, slack: float, *, has_fallen: bool) -> Alarm | None:
        value, share = float(pull.median[row]), float(pull.shares[row])
        if not slack * value > self.elasticity or not slack * pull.amplified[row] > AMPLIFIED or has_fallen:
            return None
        closing = self.elasticity / SLACK
        remarks = [] if value > self.elasticity else [f"closes at {number(closing)}"]
        if share < SPREAD_OUT:
            remarks.append(f"estimated for the {percent(share)} of its weights that the gradient reaches")
        if pull.is_swinging:
            remarks.append("relative to the range of a loss that passes through zero")
        return Alarm(
            ELASTICITY,
            value,
            self.elasticity,
            Severity.WARNING,
            int(pull.steps[0]),
            "".join(f", {remark}" for remark in remarks),
            closing,
        )

    def _signal_sign(self, size: float, tension: float) -> Alarm | None:
        if not (size > self.signal and tension > self.strained):
            return None
        return Alarm(SIGNAL, size, self.signal, Severity.WARNING, 0)

    def _growth(self, history: History) -> NDArray[np.float64]:
        """`[layers]`: the smallest growth from one block to the next, NaN where that is no alarm."""
        norms = history.gradient_blocks
        if len(norms) < BLOCKS or history.loss < history.initial_loss:
            return np.full(norms.shape[1], np.nan)
        factors = np.full((len(norms) - 1, norms.shape[1]), np.nan)
        np.divide(norms[1:], norms[:-1], out=factors, where=norms[:-1] > 0)
        is_growing = np.all(norms > 0, axis=0) & np.all(factors >= self.growth, axis=0)
        return np.where(is_growing, factors.min(axis=0), np.nan)

    def _growth_sign(self, history: History, factor: float) -> Alarm | None:
        if math.isnan(factor):
            return None
        return Alarm(GROWTH, factor, self.growth, Severity.WARNING, int(history.steps[0]))

    @staticmethod
    def bearing(value: float) -> float:
        return value

    @staticmethod
    def headline(finding: Finding) -> str:
        return {
            STEP.id: f"a step of {number(finding.value)} times the weights",
            WEIGHTS.id: f"weights {number(finding.value)} times as large between two observed steps",
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


def _moves_far(history: History, largest: NDArray[np.float64]) -> bool:
    """Whether some layer takes large steps, or the loss is lost; true where no step is known.

    A loss that starts near zero may grow a lot while small steps lead where it is meant to go: returns that come to be
    known, answers that were all zero.
    """
    if history.total("loss_nonfinite")[-1] == 1:
        return True
    ratios = history.stat("update_ratio")[-LASTS:]
    known = np.concatenate([largest, np.fmax.reduce(ratios, axis=0)])
    known = known[np.isfinite(known)]
    return not known.size or bool(known.max() > FAR)


def _has_fallen(history: History, slack: float) -> bool:
    """Whether the loss has halved; a loss that starts negative must fall by half of its initial size."""
    loss, start = float(np.median(history.losses[-RECENT:])), history.initial_loss
    return bool(loss < start - abs(start) * (1 - 0.5 / slack))


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


def _evidence(history: History, row: int, alarm: Alarm, earlier: OpenFinding | None) -> Evidence:
    began = earlier.since_step if earlier else alarm.since_step
    is_sudden = alarm.sign in (STEP, WEIGHTS, LOSS)
    sample = earlier.evidence.sample_row if earlier else dominant_row(history) if is_sudden else None
    return Evidence(
        severity=alarm.severity,
        sign=alarm.sign,
        value=alarm.value,
        threshold=alarm.threshold,
        samples=int(history.rows[-1, row]),
        checks=earlier.checks + alarm.is_present if earlier else int(np.count_nonzero(history.steps >= began)),
        since_step=began,
        explain=functools.partial(
            _explain,
            history.spec.layers[row],
            alarm,
            began,
            history.once_a_step("remedies", _remedies),
            sample,
        ),
        sample_row=sample,
        closing_threshold=alarm.closing,
    )


def _remedies(history: History) -> Remedies:
    return Remedies(
        rate_now(history),
        lower_rate(history),
        is_beyond_rates(history),
        clipping(history),
        to_standardize(history),
        [history.spec.layers[large].name for large in np.flatnonzero(too_large(history))],
    )


def _explain(layer: LayerSpec, alarm: Alarm, began: int, remedies: Remedies, sample: int | None) -> Explanation:
    what = {
        STEP.id: f"one step changed a kernel of {layer.name} by {number(alarm.value)} times its norm",
        WEIGHTS.id: f"its weights are {number(alarm.value)} times as large as at the observed step before",
        LOSS.id: f"the loss is {number(alarm.value)} times what it was at the start, and {layer.name} moves most",
        ELASTICITY.id: f"elasticity of {layer.name} is {number(alarm.value)}: a change of 1% of its weights moves "
        "the loss "
        f"by up to {number(alarm.value)}%",
        SIGNAL.id: f"its outputs started {number(alarm.value)} times as large as the model's first floating-point "
        "input",
        GROWTH.id: f"the gradient at {layer.name} has grown {number(alarm.value)} times or more in each of five "
        "windows",
    }[alarm.sign.id]
    return Explanation(
        message=(
            f"The gradient explodes at {layer.name}: {what} (threshold {number(alarm.threshold)}{alarm.remark}), since "
            f"step {began}. The learning rate is {number(remedies.rate)}.{dominant_row_in_words(sample)}"
        ),
        might_be_wrong=(
            "A single bad batch, or weights that start close to zero, can cause one such step and recover. A loss that "
            "starts near zero (fine-tuning) can grow a lot and still be small."
        ),
        advice=advice(layer, alarm.sign, remedies),
    )
