"""Trainable weights that do not change, or that change too much in every step."""

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
    HERE,
    Cause,
    Evidence,
    Judged,
    Label,
    LayerRule,
    Sign,
    limit_in_words,
)
from tb_activations.health.rules.kernels import kernel_steps
from tb_activations.health.rules.progress import is_warming_up
from tb_activations.health.rules.window import has_learned, medians, since
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number
from tb_activations.records.specs import LayerSpec

HYSTERESIS = 2.0
LATEST = 16
"""Observed steps whose median is the usual size of an update."""

RESTLESS = Sign("restless", "update-to-weight ratio, median of the window's last half")
STILL = Sign("still", "update-to-weight ratio, largest of the window")

_TOO_FAST = (Cause("exploding_gradient", ANYWHERE), Cause("learning_rate", ANYWHERE))
"""Possible causes of weights that move too fast."""

_ROUNDING = 1e-6
"""Weight norms with a smaller relative difference are equal within the precision of float32."""


@dataclasses.dataclass(frozen=True)
class StagnantWeights(LayerRule):
    """Update-to-weight ratio ‖w_after - w_before‖ / ‖w_before‖ of all weights of a layer taken together.

    Attributes:
        still: the weights do not move if no step of the window was larger than this.
        still_learned: the same once the loss has fallen, because trained networks take small steps.
        fast: the weights move too fast if the median step of the last half of the window is larger than this.
        min_checks: observed steps needed before weights count as stuck.
        settled: observed steps needed before weights count as thrashing, because weights that grow from zero take
            large steps at first.
        decayed: a learning rate below this share of its peak was lowered on purpose.
    """

    still: float = 1e-6
    still_learned: float = 1e-9
    fast: float = 0.1
    min_checks: float = 10
    settled: float = 24
    decayed: float = 0.01

    id: ClassVar[str] = "stagnant_weights"
    title: ClassVar[str] = "Stuck or thrashing weights"
    why: ClassVar[str] = (
        "Weights that do not move take no part in training; weights that move too far in a step never settle."
    )
    signs: ClassVar[tuple[Sign, ...]] = (STILL, RESTLESS)
    causes: ClassVar[tuple[Cause, ...]] = (
        Cause("learning_rate", ANYWHERE),
        Cause("unfit_head", BACKWARD),
        Cause("poor_init", BACKWARD),
        Cause("dead_units", BACKWARD),
        Cause("saturated_units", BACKWARD),
        Cause("collapsed_layer", BACKWARD),
        Cause("no_gradient", HERE),
        Cause("vanishing_gradient", HERE),
    )
    source: ClassVar[str] = (
        "update-to-weight ratio about 1e-3 (CS231n); Ben Braiek & Khomh 2023 (1e-4 to 1e-1); limits far outside "
        "what healthy trainings reach"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "still": (0, 1),
        "still_learned": (0, 1),
        "fast": (0, 1e9),
        "min_checks": (2, 32),
        "settled": (2, 1e9),
        "decayed": (0, 1),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "still": Label("Stuck: update ratio below"),
        "still_learned": Label("Stuck once the loss has fallen: update ratio below"),
        "fast": Label("Thrashing: median update ratio above"),
        "min_checks": Label("Observed steps needed for stuck", "steps"),
        "settled": Label("Observed steps needed for thrashing", "steps"),
        "decayed": Label("Lowered on purpose: rate below this part of its peak", "share"),
    }

    def judge(self, history: History, earlier: Sequence[Finding | None]) -> list[Judged]:
        _, counts = medians(history.stat("update_ratio"))
        ratios, _ = medians(_usual_steps(history))
        answers: list[Judged] = []
        for row, layer in enumerate(history.spec.layers):
            if layer.call_site or not layer.trainable:
                answers.append(Outcome.NOT_APPLICABLE)
            elif counts[row] < self.min_checks or not np.isfinite(ratios[row]):
                answers.append(Outcome.INSUFFICIENT_DATA)
            else:
                answers.append(self._judge_layer(history, row, float(ratios[row]), earlier[row]))
        return answers

    def _judge_layer(self, history: History, row: int, ratio: float, earlier: Finding | None) -> Judged:
        slack = HYSTERESIS if earlier else 1
        if ratio > self.fast / slack and history.checks >= self.settled:
            return self._restless(history, row, ratio, earlier)
        learned = has_learned(history)
        limit = (self.still_learned if learned else self.still) * slack
        largest = float(np.nanmax(history.stat("update_ratio")[:, row]))
        if largest >= limit or self._moves_unseen(history, row):
            return Outcome.OK
        if self._is_on_purpose(history):
            return Outcome.NOT_APPLICABLE
        if is_warming_up(history):
            return Outcome.INSUFFICIENT_DATA
        return self._still(history, row, largest, limit / slack, earlier)

    @staticmethod
    def _moves_unseen(history: History, row: int) -> bool:
        """Whether the weights changed between observed steps but not in them, as with gradient accumulation."""
        norms = history.stat("weight_norm")[:, row].astype(np.float64)
        return bool(np.nanmax(norms) - np.nanmin(norms) > _ROUNDING * np.nanmax(norms))

    def _is_on_purpose(self, history: History) -> bool:
        rates = history.total("learning_rate")
        return bool(np.nanmax(rates, initial=0.0) < self.decayed * np.nan_to_num(history.peak_learning_rate))

    def _still(self, history: History, row: int, largest: float, limit: float, earlier: Finding | None) -> Evidence:
        layer, rate = history.spec.layers[row], history.total("learning_rate")[-1]
        closing = limit * HYSTERESIS
        words = limit_in_words(limit, closing, is_eased=largest >= limit)
        flags = history.stat("update_ratio")[:, row] < closing
        began = earlier.since_step if earlier else since(history, flags)
        return Evidence(
            severity=Severity.PROBLEM if largest == 0 else Severity.WARNING,
            sign=STILL,
            value=largest,
            threshold=limit,
            closing_threshold=closing,
            samples=int(np.nansum(history.total("samples"))),
            checks=earlier.checks + 1 if earlier else int(np.count_nonzero(flags)),
            since_step=began,
            message=(
                f"The weights of {layer.name} do not move: no step changed them by more than {number(largest)} of "
                "their "
                f"norm ({words}), since step {began}. The learning rate is {number(rate)}."
            ),
            might_be_wrong=(
                "The loss may be as low as possible, or the optimizer skips this layer on purpose. Layers frozen with "
                "trainable=False are not judged."
            ),
            advice=(
                f"Check the learning rate ({number(rate)}) and its schedule, whether the optimizer gets the weights of "
                f"{layer.name}, and whether a gradient reaches it: without one no learning rate helps."
            ),
        )

    def _restless(self, history: History, row: int, ratio: float, earlier: Finding | None) -> Evidence:
        layer, rate = history.spec.layers[row], history.total("learning_rate")[-1]
        closing = self.fast / HYSTERESIS
        words = limit_in_words(self.fast, closing, is_eased=ratio <= self.fast)
        flags = history.stat("update_ratio")[:, row] > closing
        began = earlier.since_step if earlier else since(history, flags)
        learned = has_learned(history)
        return Evidence(
            severity=Severity.NOTE if learned else Severity.WARNING,
            sign=RESTLESS,
            value=ratio,
            threshold=self.fast,
            closing_threshold=closing,
            samples=int(np.nansum(history.total("samples"))),
            checks=earlier.checks + 1 if earlier else int(np.count_nonzero(flags)),
            since_step=began,
            message=(
                f"The weights of {layer.name} move too fast: half of the steps changed them by {number(ratio)} of "
                "their "
                f"norm or more ({words}), since step {began}. The learning rate is {number(rate)}."
            ),
            might_be_wrong=(
                "The loss is falling anyway. Small weights that grow from zero take large steps for a while."
                if learned
                else "Small weights that grow from zero (zero-initialized branches) take large steps for a while."
            ),
            advice=_slower(layer, rate, ratio),
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        if finding.sign == RESTLESS.id:
            return f"weights change by {number(finding.value)} of their norm per step"
        return "weights do not move"

    @classmethod
    def causes_of(cls, sign: str) -> tuple[Cause, ...]:
        return _TOO_FAST if sign == RESTLESS.id else cls.causes


def _usual_steps(history: History) -> NDArray[np.float64]:
    """`[checks, layers]`: the latest update ratios of all weights of a layer, or of its kernels if that is smaller.

    A bias that grows from zero inflates the former, a small kernel in the same layer as a large one the latter.
    """
    steps: NDArray[np.float64] = np.fmin(kernel_steps(history, LATEST), history.stat("update_ratio")[-LATEST:])
    return steps


def _slower(layer: LayerSpec, rate: float, ratio: float) -> str:
    return (
        f"Steps of about 0.001 of the norm are usual: a learning rate near {number(rate * 1e-3 / ratio)} instead of "
        f"{number(rate)} makes such steps in {layer.name}. If only the beginning is rough, clip gradients "
        "(clipnorm=1.0) "
        "or warm up."
    )
