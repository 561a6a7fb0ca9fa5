"""Trainable layers on which the loss hardly depends, measured by a dimensionless elasticity."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.base import (
    ANYWHERE,
    BACKWARD,
    Cause,
    Evidence,
    Judged,
    Label,
    LayerRule,
    Leader,
    Sign,
    limit_in_words,
)
from tb_activations.health.rules.elasticity import comparable, elasticities, reached_shares
from tb_activations.health.rules.window import has_learned, medians, since
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number
from tb_activations.records.specs import LayerSpec

HYSTERESIS = 2.0
ELASTICITY = Sign("elasticity", "elasticity of the loss (gradient norm x weight norm / loss)")

_BOUNDED = frozenset({"sigmoid", "tanh", "hard_sigmoid"})

SETTLED = 20
"""Observed steps before a warning opens: some healthy layers get small gradients in the very first steps."""

AT_ENDS, WAKING = 5, 2.0
"""A layer is waking up if its elasticity grew by this factor from the first to the last checks of the window."""


ATTENTION = 0.02
"""Query and key kernels act on the loss only through the weights of attention, which start nearly equal: by far the
smallest gradients of healthy networks. Their thresholds are smaller by this factor."""


@dataclasses.dataclass(frozen=True)
class VanishingGradient(LayerRule):
    """Elasticity ‖gradient‖·‖weights‖ / loss: the percentage by which the loss moves when the weights move by 1%.

    Attributes:
        warning_elasticity, problem_elasticity: a median below these is a finding if the layer is also below
            `relative`.
        uniform: a median below this is a finding regardless of other layers.
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
        Cause("collapsed_layer", BACKWARD),
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

    def judge(self, history: History, earlier: Sequence[Finding | None]) -> list[Judged]:
        table = elasticities(history)
        values, counts = medians(table)
        reference = _nearer_the_loss(medians(comparable(table, reached_shares(history)))[0], history)
        learned, bounded = has_learned(history, self.loss_fallen), _bounded_ahead(history.spec.layers)
        answers: list[Judged] = []
        for row, layer in enumerate(history.spec.layers):
            if layer.call_site or not layer.trainable:
                answers.append(Outcome.NOT_APPLICABLE)
            elif counts[row] < self.min_checks:
                answers.append(Outcome.INSUFFICIENT_DATA)
            else:
                measured = float(values[row]), float(reference[row])
                course, ahead = table[:, row], int(bounded[row])
                answer = self._judge_layer(history, row, course, ahead, *measured, earlier[row], learned=learned)
                is_new = isinstance(answer, Evidence) and earlier[row] is None
                is_waking = is_new and self._is_waking(table[:, row])
                answers.append(Outcome.INSUFFICIENT_DATA if is_waking else answer)
        return answers

    def _is_waking(self, table: NDArray[np.float64]) -> bool:
        """Whether elasticity grows over the window, as in a branch that starts from zero."""
        known = table[~np.isnan(table)]
        first, last = np.median(known[:AT_ENDS]), np.median(known[-AT_ENDS:])
        return bool(last > self.problem_elasticity and last > WAKING * first)

    def _judge_layer(
        self,
        history: History,
        row: int,
        course: NDArray[np.float64],
        bounded: int,
        elasticity: float,
        reference: float,
        earlier: Finding | None,
        *,
        learned: bool,
    ) -> Judged:
        # An open finding closes only well above the threshold, so that it does not open and close often.
        slack = HYSTERESIS if earlier else 1
        allowed = ATTENTION if _forms_attention(history.spec.layers[row]) else 1.0
        is_behind = elasticity < slack * allowed * self.relative * reference
        threshold = allowed * self.warning_elasticity if is_behind else self.uniform
        if not elasticity < slack * threshold:
            return Outcome.OK
        layer = history.spec.layers[row]
        began = earlier.since_step if earlier else since(history, course < slack * threshold)
        checks = earlier.checks + 1 if earlier else int(np.count_nonzero(history.steps >= began))
        severe = allowed * self.problem_elasticity if is_behind else self.uniform / 10
        is_severe = elasticity < severe * (slack if earlier and earlier.severity is Severity.PROBLEM else 1)
        severity = Severity.NOTE if learned else Severity.PROBLEM if is_severe else Severity.WARNING
        if severity is Severity.WARNING and earlier is None and history.checks < SETTLED:
            return Outcome.INSUFFICIENT_DATA
        threshold = severe if severity is Severity.PROBLEM else threshold
        closing = HYSTERESIS * threshold
        limit = limit_in_words(threshold, closing, is_eased=elasticity >= threshold)
        compared = f", {number(elasticity / reference)} of the layers nearer the loss" if reference > 0 else ""
        return Evidence(
            severity=severity,
            sign=ELASTICITY,
            value=float(elasticity),
            threshold=threshold,
            closing_threshold=closing,
            samples=int(np.nansum(history.stat("elements")[:, row]) / max(layer.units, 1)),
            checks=checks,
            since_step=began,
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
            advice=_advice(layer, bounded),
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return f"gradient vanishes (elasticity {number(finding.value)})"


def _forms_attention(layer: LayerSpec) -> bool:
    """Whether it is the query or key projection of an attention layer of Keras."""
    return layer.class_name == "EinsumDense" and layer.name.endswith(("/query", "/key"))


def _nearer_the_loss(medians: NDArray[np.float64], history: History) -> NDArray[np.float64]:
    """`[layers]`: the largest median among later layers, 0 without any."""
    known = np.where(np.isnan(medians), 0, medians)
    result: NDArray[np.float64] = np.where(history.graph.reaches, known, 0).max(axis=1, initial=0)
    return result


def _bounded_ahead(layers: Sequence[LayerSpec]) -> NDArray[np.int64]:
    """`[layers]`: number of bounded activations in the layer and all later ones."""
    is_bounded = np.array([layer.activation in _BOUNDED for layer in layers], np.int64)
    return np.cumsum(is_bounded[::-1])[::-1]


def _advice(layer: LayerSpec, bounded: int) -> str:
    if bounded > 1:
        return (
            f"{bounded} bounded activations lie between {layer.name} and the loss, and each shrinks the gradient. "
            "Use relu, gelu or selu in hidden layers, residual connections, or batch normalization."
        )
    return (
        "Check the layers between this one and the loss: an initializer that suits the activation (he_normal for "
        "relu, glorot for tanh), normalization, a residual connection or fewer layers let the gradient through."
    )
