"""Trainable layers on which the loss hardly depends, measured by a dimensionless elasticity."""

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
    BACKWARD,
    Answers,
    Cause,
    Earlier,
    Evidence,
    Explanation,
    Judged,
    Label,
    LayerRule,
    Leader,
    OpenFinding,
    Sign,
    either,
    limit_in_words,
    outcomes_of,
)
from tb_activations.health.rules.elasticity import comparable, elasticities, reached_shares
from tb_activations.health.rules.progress import beats_constant, is_known_stuck, is_stuck
from tb_activations.health.rules.window import has_learned, medians, since
from tb_activations.health.rules.zeroed import zeroed_steps
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number
from tb_activations.records.specs import LayerSpec

HYSTERESIS = 2.0
ELASTICITY = Sign("elasticity", "elasticity of the loss (gradient norm x weight norm / loss)")

BOUNDED = frozenset({"sigmoid", "tanh", "hard_sigmoid", "softmax", "softsign"})

SETTLED = 20
"""Observed steps before a warning opens: some healthy layers get small gradients in the very first steps."""

AT_ENDS, WAKING = 5, 2.0
"""A layer is waking up if its elasticity grew by this factor from the first to the last checks of the window."""


AT_PACE = 1e-4
"""An update-to-weight ratio from which a layer takes part in training: a tenth of the usual one (CS231n)."""

EASED = 3.0
"""Factor of the thresholds for a warning where nothing is learned and the weights hardly move."""

ATTENTION = 0.02
"""Query and key kernels, and weights that scale the scores, act on the loss only through the weights of attention,
which start nearly equal: by far the smallest gradients of healthy networks. Their thresholds are smaller by this
factor."""
SCORING = frozenset({"Attention", "AdditiveAttention"})
"""Layers of Keras whose only weights scale the scores of attention."""


@dataclasses.dataclass(frozen=True)
class VanishingGradient(LayerRule):
    """Elasticity ‖gradient‖·‖weights‖ / loss: the percentage by which the loss moves when the weights move by 1%.

    Attributes:
        warning_elasticity, problem_elasticity: a median below these is a finding if the layer is also below
            `relative`.
        uniform: a median below this is a finding regardless of other layers. Where nothing is learned and the weights
            hardly move, one below `problem_elasticity` is.
        relative: limit of the layer's elasticity relative to the largest one among the layers nearer the loss.
        min_checks: observed steps needed.
        loss_fallen: once the loss is below this share of its start, the finding is a note, because the network learns.
    """

    warning_elasticity: float = 1e-2
    problem_elasticity: float = 1e-3
    uniform: float = 1e-6
    relative: float = 1e-2
    min_checks: float = 10
    loss_fallen: float = 0.7

    id: ClassVar[str] = "vanishing_gradient"
    title: ClassVar[str] = "Vanishing gradient"
    why: ClassVar[str] = "Layers that hardly any gradient reaches keep their initial weights, however long you train."
    signs: ClassVar[tuple[Sign, ...]] = (ELASTICITY,)
    causes: ClassVar[tuple[Cause, ...]] = (
        Cause("unfit_head", BACKWARD),
        Cause("poor_init", ANYWHERE),
        Cause("dead_units", BACKWARD),
        Cause("saturated_units", BACKWARD),
        Cause("stuck_gates", BACKWARD),
        Cause("collapsed_layer", BACKWARD),
        Cause("no_learning", ANYWHERE),
    )
    leader: ClassVar[Leader | None] = "nearest_to_loss"
    source: ClassVar[str] = (
        "Hochreiter 1991, Glorot & Bengio 2010; dimensionless form after Philipp et al. 2017; thresholds calibrated"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "warning_elasticity": (0, 1),
        "problem_elasticity": (0, 1),
        "uniform": (0, 1),
        "relative": (0, 1),
        "min_checks": (1, 32),
        "loss_fallen": (0, 1e6),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "warning_elasticity": Label("Warning: elasticity below"),
        "problem_elasticity": Label("Problem: elasticity below"),
        "uniform": Label("In any case: elasticity below"),
        "relative": Label("And relative to layers nearer the loss below"),
        "min_checks": Label("Observed steps needed", "steps"),
        "loss_fallen": Label("Only a note once the loss is below this part of its start", "share"),
    }
    lines: ClassVar[Mapping[str, tuple[str, ...]]] = {"elasticity": ("warning_elasticity", "problem_elasticity")}

    def judge(self, history: History, earlier: Earlier) -> Answers:
        values, counts = history.once_a_step("median elasticities", _median_elasticities)
        # What is open once weights are lost stays as it was.
        is_sure = (counts >= self.min_checks) & (not history.has_lost_weights)
        # Half a window of zeros says nothing of a layer that is thawed in its middle.
        is_judged = history.is_trained & ~zeroed_steps(history).any(axis=0)
        outcomes = outcomes_of((~is_judged, Outcome.NOT_APPLICABLE), (~is_sure, Outcome.INSUFFICIENT_DATA))
        # An open finding closes only well above the threshold, so that it does not open and close often.
        slack = np.where(either(np.zeros(len(values), bool), earlier), HYSTERESIS, 1)
        # One percent of weights that are on their way from zero says nothing about their gradient.
        is_growing = _starts_without_size(history) & ~either(np.zeros(len(values), bool), earlier)
        is_sure &= ~is_growing
        outcomes[is_growing & history.is_trained] = Outcome.INSUFFICIENT_DATA
        # A gradient that is small everywhere is too small once nothing is learned and the weights hardly move.
        is_idle = (_usual_steps(history) < AT_PACE) & (_latest_steps(history) < AT_PACE) & is_stuck(history)
        # Where a constant prediction would do as well, what hardly moves is too small even if it is not tiny.
        is_lost = is_idle & is_known_stuck(history) & (history.checks >= SETTLED)
        eased, allowed = np.where(is_lost, EASED, 1.0), history.once("attention", _allowances)
        uniform = np.where(is_idle, max(self.uniform, self.problem_elasticity), self.uniform)
        largest = np.maximum(eased * allowed * self.warning_elasticity, uniform)
        candidates = np.flatnonzero(is_judged & is_sure & (values < slack * largest))
        if not candidates.size:
            return Answers(outcomes, {})
        table = history.once_a_step("elasticities", elasticities)
        reached = history.once_a_step("median elasticities of reached weights", _median_of_reached)
        reference = _nearer_the_loss(reached, history, candidates)
        is_behind = values[candidates] < (slack * eased * allowed)[candidates] * self.relative * reference
        learned, found = has_learned(history, self.loss_fallen), {}
        # The smallest gradient moves the weights as far as any where the optimizer divides by its size.
        is_spared = _is_bypassed(values, history, candidates, HYSTERESIS * self.warning_elasticity)
        if beats_constant(history):
            is_spared |= (_usual_steps(history) >= AT_PACE)[candidates]
        is_fine = (is_spared | learned).tolist()
        samples, bounded = _samples(history).tolist(), history.once("bounded ahead", _bounded_ahead).tolist()
        limits = np.stack([allowed, eased, np.broadcast_to(uniform, values.shape)], 1)[candidates].tolist()
        each = zip(
            candidates.tolist(),
            values[candidates].tolist(),
            reference.tolist(),
            limits,
            is_behind.tolist(),
            is_fine,
            strict=True,
        )
        for row, elasticity, nearer, (least, easing, everywhere), behind, fine in each:
            own = int(samples[row]), bounded[row]
            course = _Course(table[:, row], elasticity, nearer, least, easing, everywhere, behind, *own)
            answer = self._judge_layer(history, row, course, earlier.get(row), learned=fine)
            if isinstance(answer, Evidence):
                found[row] = answer
            else:
                outcomes[row] = answer
        return Answers(outcomes, found)

    def line_factor(self, layer: LayerSpec) -> float:
        return ATTENTION if _forms_attention(layer) else 1.0

    def _is_waking(self, table: NDArray[np.float64]) -> bool:
        """Whether elasticity grows over the window, as in a branch that starts from zero."""
        known = table[~np.isnan(table)]
        first, last = np.median(known[:AT_ENDS]), np.median(known[-AT_ENDS:])
        return bool(last > self.problem_elasticity and last > WAKING * first)

    def _judge_layer(
        self, history: History, row: int, course: _Course, earlier: OpenFinding | None, *, learned: bool
    ) -> Judged:
        slack, elasticity = HYSTERESIS if earlier else 1, course.elasticity
        threshold = course.allowed * self.warning_elasticity if course.is_behind else course.uniform
        if course.is_behind and not elasticity < slack * threshold:
            threshold *= course.eased
        if not elasticity < slack * threshold:
            return Outcome.OK
        if earlier:
            began, checks = earlier.since_step, earlier.checks + 1
        else:
            began = since(history, course.values < slack * threshold)
            checks = int(np.count_nonzero(history.steps >= began))
        severe = course.allowed * self.problem_elasticity if course.is_behind else self.uniform / 10
        is_severe = elasticity < severe * (slack if earlier and earlier.severity is Severity.PROBLEM else 1)
        severity = Severity.NOTE if learned else Severity.PROBLEM if is_severe else Severity.WARNING
        if severity is Severity.WARNING and earlier is None and history.checks < SETTLED:
            return Outcome.INSUFFICIENT_DATA
        if earlier is None and self._is_waking(course.values):
            return Outcome.INSUFFICIENT_DATA
        threshold = severe if severity is Severity.PROBLEM else threshold
        closing = HYSTERESIS * threshold
        explain = functools.partial(
            _explain,
            history.spec.layers[row],
            elasticity,
            threshold,
            course.nearer,
            began,
            course.bounded,
            learned=learned,
            is_everywhere=not course.is_behind,
        )
        return Evidence(
            severity=severity,
            sign=ELASTICITY,
            value=elasticity,
            threshold=threshold,
            samples=course.samples,
            checks=checks,
            since_step=began,
            explain=explain,
            closing_threshold=closing,
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return f"gradient vanishes (elasticity {number(finding.value)})"


class _Course(NamedTuple):
    """What is known of a layer.

    Attributes:
        values: its elasticity over the window; `elasticity` is their median.
        nearer: the largest median nearer the loss.
        allowed: factor of the thresholds.
        eased: another one, of the thresholds for a warning.
        uniform: threshold regardless of other layers.
        is_behind: whether the median is also small compared with the layers nearer the loss.
        samples: number of samples over the window.
        bounded: number of bounded activations in the layer and all later ones.
    """

    values: NDArray[np.float64]
    elasticity: float
    nearer: float
    allowed: float
    eased: float
    uniform: float
    is_behind: bool
    samples: int
    bounded: int


def _is_bypassed(
    medians: NDArray[np.float64], history: History, rows: NDArray[np.int64], healthy: float
) -> NDArray[np.bool_]:
    """`[rows]`: whether a layer that comes before each of `rows` has a `healthy` elasticity.

    Then the gradient has not vanished on its way: it takes another path, next to a branch that is not in use yet.
    """
    result: NDArray[np.bool_] = np.asarray(history.graph.reaches[medians >= healthy][:, rows].any(axis=0))
    return result


def _usual_steps(history: History) -> NDArray[np.float64]:
    """`[layers]`: update ratio of the usual step of the window, NaN if unknown."""
    return medians(history.stat("update_ratio"))[0]


def _latest_steps(history: History) -> NDArray[np.float64]:
    """`[layers]`: the same of its last steps: a gradient that grows is about to move the layer."""
    return medians(history.stat("update_ratio")[-AT_ENDS:])[0]


def _starts_without_size(history: History) -> NDArray[np.bool_]:
    """`[layers]`: whether the norm of all weights has grown by a multiple over the window, as from zero."""
    norms = history.stat("weight_norm")
    with np.errstate(invalid="ignore"):
        result: NDArray[np.bool_] = norms[-1] > WAKING * norms[0]
    return result


def _median_elasticities(history: History) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    return medians(history.once_a_step("elasticities", elasticities))


def _median_of_reached(history: History) -> NDArray[np.float64]:
    table = history.once_a_step("elasticities", elasticities)
    return medians(comparable(table, history.once_a_step("reached", reached_shares)))[0]


def _allowances(history: History) -> NDArray[np.float64]:
    """`[layers]`: factor of the thresholds, smaller where the weights act through attention scores only."""
    rule = VanishingGradient()
    return np.array([rule.line_factor(layer) for layer in history.spec.layers], np.float64)


def _forms_attention(layer: LayerSpec) -> bool:
    is_projection = layer.class_name == "EinsumDense" and layer.name.endswith(("/query", "/key"))
    return is_projection or layer.class_name in SCORING


def _nearer_the_loss(medians: NDArray[np.float64], history: History, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """`[rows]`: the largest median among the layers that come later than each of `rows`, 0 without any."""
    known = np.where(np.isnan(medians), 0, medians)
    result: NDArray[np.float64] = np.where(history.graph.reaches[rows], known, 0).max(axis=1, initial=0)
    return result


def _bounded_ahead(history: History) -> NDArray[np.int64]:
    """`[layers]`: number of bounded activations in the layer and all later ones."""
    is_bounded = np.array([layer.activation in BOUNDED for layer in history.spec.layers], np.int64)
    return np.cumsum(is_bounded[::-1])[::-1]


def _samples(history: History) -> NDArray[np.float32]:
    """`[layers]`: number of samples (times positions) over all kept steps."""
    elements = np.nansum(np.ascontiguousarray(history.stat("elements").T), axis=1)
    seen: NDArray[np.float32] = elements / np.maximum(history.units_of, 1).astype(np.float32)
    return seen


def _explain(
    layer: LayerSpec,
    elasticity: float,
    threshold: float,
    nearer: float,
    began: int,
    bounded: int,
    *,
    learned: bool,
    is_everywhere: bool,
) -> Explanation:
    limit = limit_in_words(threshold, HYSTERESIS * threshold, is_eased=elasticity >= threshold)
    compared = f", {number(elasticity / nearer)} of the layers nearer the loss" if nearer > 0 else ""
    return Explanation(
        message=(
            f"The gradient vanishes at {layer.name}: elasticity {number(elasticity)} "
            f"({limit}{compared}), since step {began}."
        ),
        might_be_wrong=(
            "The loss has fallen, so the network is learning; this layer may not need a larger gradient."
            if learned
            else "A layer that starts switched off (zero-initialized residual branch, adapter) or that few inputs "
            "reach looks the same for a while. So does a converged network whose loss has a floor above zero."
        ),
        advice=_advice(layer, bounded, is_everywhere=is_everywhere),
    )


def _advice(layer: LayerSpec, bounded: int, *, is_everywhere: bool) -> str:
    if is_everywhere and bounded <= 1:
        return (
            "The gradient is as small nearer the loss: look for a small factor there (a mean over too many values, a "
            "weight of the loss), and raise the learning rate."
        )
    if bounded > 1:
        return (
            f"{bounded} bounded activations lie between {layer.name} and the loss, and each shrinks the gradient. "
            "Use relu, gelu or selu with he_normal in hidden layers, residual connections, or batch normalization."
        )
    return (
        "Check the layers between this one and the loss: an initializer that suits the activation (he_normal for "
        "relu, glorot for tanh), normalization, a residual connection or fewer layers let the gradient through."
    )
