"""A last layer that cannot express the targets, or outputs that the loss misreads."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from tb_activations.health.history import History
from tb_activations.health.rules.base import (
    Answers,
    Earlier,
    Evidence,
    Explanation,
    Label,
    LayerRule,
    OpenFinding,
    Sign,
    Told,
)
from tb_activations.health.rules.usual_causes import DISTANCES, LARGE
from tb_activations.health.rules.window import has_learned
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number, percent
from tb_activations.records.specs import LayerSpec

ONE_UNIT = Sign("one_unit", "units of a softmax, at least", "count")
REACH = Sign("reach", "share of the targets' range that the head cannot reach", "share")
CLASSES = Sign("classes", "largest class number, below the number of units", "count")
TARGET_PROBABILITY = Sign("target_probability", "distance of the targets from the range 0 to 1")
OUTPUT_PROBABILITY = Sign("output_probability", "distance of the outputs from the range 0 to 1")
TARGET_SUM = Sign("target_sum", "distance from 1 of the sum of a sample's targets")
BATCH_AXIS = Sign("batch_axis", "samples over which a softmax sums to 1, at most", "count")

_REACHES = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "rectifier": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, math.inf),
    "exponential": (0.0, math.inf),
}
"""The range of outputs of activation functions that cannot output every number."""

_CLASSES = "sparse_categorical_crossentropy"
_DISTRIBUTIONS = "categorical_crossentropy"
_ELEMENTWISE_PROBABILITIES = frozenset({"binary_crossentropy", _DISTRIBUTIONS})


class _Misfit(NamedTuple):
    sign: Sign
    value: float
    threshold: float
    what: str
    advice: str


_SUMS, _EQUAL = 5, 1e-3
"""Observed steps in which sums over samples have to be 1, and how exactly: in half precision, they are rounded."""

_BESIDE = 0.01
"""Outputs further outside the range of their activation, as a share of their size, are not those of the head."""


@dataclasses.dataclass(frozen=True)
class UnfitHead(LayerRule):
    """Attributes:
    out_of_reach: limit of the share of the targets' range that lies outside the range of the head's outputs.
    beside_probabilities: limit of the distance of outputs and targets of a cross entropy from the range 0 to 1.
    beside_one: limit of the distance from 1 of the sum of a sample's targets under categorical cross entropy.
    """

    out_of_reach: float = 0.05
    beside_probabilities: float = 0.01
    beside_one: float = 0.1

    id: ClassVar[str] = "unfit_head"
    title: ClassVar[str] = "Head does not fit the targets"
    why: ClassVar[str] = "What the last layer cannot output, or the loss cannot read, no training can learn."
    signs: ClassVar[tuple[Sign, ...]] = (
        ONE_UNIT,
        REACH,
        CLASSES,
        TARGET_PROBABILITY,
        OUTPUT_PROBABILITY,
        TARGET_SUM,
        BATCH_AXIS,
    )
    source: ClassVar[str] = (
        "definition of the losses and activation functions; the most frequent output-layer faults in Humbatova et al. "
        "2020 and Zhang et al. 2021"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "out_of_reach": (0, 1),
        "beside_probabilities": (0, 1e12),
        "beside_one": (0, 1e12),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "out_of_reach": Label("Targets out of reach of the outputs from", "share"),
        "beside_probabilities": Label("Outside 0 to 1 by at least"),
        "beside_one": Label("Targets of a sample sum to 1, give or take"),
    }

    def judge(self, history: History, earlier: Earlier) -> Answers:
        outcomes = np.full(len(history.spec.layers), Outcome.NOT_APPLICABLE, np.uint8)
        head = history.once("only head", _head)
        if head is None:
            return Answers(outcomes, {})
        outcomes[head] = Outcome.OK
        misfit = _over_samples(history, head) or self._misfit(history, history.spec.layers[head])
        return Answers(outcomes, {head: _evidence(history, head, misfit, earlier.get(head))} if misfit else {})

    def _misfit(self, history: History, layer: LayerSpec) -> _Misfit | None:
        loss, is_logits = history.spec.loss, history.spec.from_logits
        if layer.activation == "softmax" and layer.output_shape[-1:] == (1,):
            what = "softmax of 1 unit (it needs at least 2) outputs 1 for every sample"
            return _Misfit(ONE_UNIT, 1, 2, what, "Use sigmoid with one unit, or softmax with one unit per class.")
        if loss in DISTANCES:
            return self._out_of_reach(history, layer)
        if loss == _CLASSES:
            return _beyond_classes(history, layer) or self._no_probabilities(history, layer, is_logits=is_logits)
        if loss in _ELEMENTWISE_PROBABILITIES:
            return (
                self._targets_beside(history, loss)
                or self._no_probabilities(history, layer, is_logits=is_logits)
                or self._no_distribution(history)
            )
        return None

    def _out_of_reach(self, history: History, layer: LayerSpec) -> _Misfit | None:
        low, high = _REACHES.get(layer.activation or "", (-math.inf, math.inf))
        least, most = _usual_range(history)
        given = _range(history, "output")
        if max(low - given[0], given[1] - high) > _BESIDE * max(abs(given[0]), abs(given[1])):
            # The training step scales what the head gives before the loss sees it.
            return None
        beyond = max(low - least, 0.0) + max(most - high, 0.0)
        share = min(beyond / (most - least), 1.0) if most > least else float(beyond > 0)
        if not share > self.out_of_reach:
            return None
        reach = f"{number(low)} to {number(high)}" if math.isfinite(high) else f"at least {number(low)}"
        return _Misfit(
            REACH,
            share,
            self.out_of_reach,
            f"{layer.activation} outputs {reach}, but the targets range from {number(least)} to {number(most)}: "
            f"{percent(share)} of that range is out of reach (threshold {percent(self.out_of_reach)})",
            _within_reach(layer, is_large=max(-least, most) > LARGE and math.isfinite(high)),
        )

    def _targets_beside(self, history: History, loss: str) -> _Misfit | None:
        least, most = _range(history, "target")
        distance = max(-least, most - 1, 0.0)
        if not distance > self.beside_probabilities:
            return None
        return _Misfit(
            TARGET_PROBABILITY,
            distance,
            self.beside_probabilities,
            f"{loss} compares probabilities, but the targets range from {number(least)} to {number(most)}, "
            f"{number(distance)} away from 0 to 1 (threshold {number(self.beside_probabilities)})",
            "Use targets from 0 to 1 (one-hot or binary), sparse_categorical_crossentropy for class numbers, or a "
            "regression loss.",
        )

    def _no_probabilities(self, history: History, layer: LayerSpec, *, is_logits: bool) -> _Misfit | None:
        least, most = _range(history, "output")
        distance = max(-least, most - 1, 0.0)
        if is_logits or not distance > self.beside_probabilities:
            return None
        return _Misfit(
            OUTPUT_PROBABILITY,
            distance,
            self.beside_probabilities,
            f"{history.spec.loss} takes its outputs for probabilities, but they range from {number(least)} to "
            f"{number(most)}, {number(distance)} away from 0 to 1 (threshold {number(self.beside_probabilities)})",
            f"Pass from_logits=True to the loss, or end {layer.name} in softmax (one class per sample) or sigmoid.",
        )

    def _no_distribution(self, history: History) -> _Misfit | None:
        least, most = _range(history, "target_sum")
        distance = max(1 - least, most - 1)
        if history.spec.loss != _DISTRIBUTIONS or not distance > self.beside_one:
            return None
        return _Misfit(
            TARGET_SUM,
            distance,
            self.beside_one,
            f"{history.spec.loss} compares distributions, but the targets of a sample sum to {number(least)} to "
            f"{number(most)}, up to {number(distance)} away from 1 (threshold {number(self.beside_one)})",
            "For samples of several classes use sigmoid and binary_crossentropy. A sample without a class teaches "
            "nothing: number the classes from 0, and give the head one unit per class.",
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return {
            ONE_UNIT.id: "softmax of one unit",
            REACH.id: "targets out of reach of the head",
            CLASSES.id: "class numbers beyond the head's units",
            TARGET_PROBABILITY.id: "targets are not probabilities",
            OUTPUT_PROBABILITY.id: "outputs are not probabilities",
            TARGET_SUM.id: "targets do not sum to 1",
            BATCH_AXIS.id: "softmax over the samples of a batch",
        }.get(finding.sign, "head does not fit the targets")


def _over_samples(history: History, row: int) -> _Misfit | None:
    """A softmax over the wrong axis: in every step, the outputs of a unit sum to 1 over the samples of the batch.

    Nothing else gives outputs whose mean is the inverse of whatever number of samples the step has.
    """
    layer = history.spec.layers[row]
    # The units of a Lambda are not tracked.
    units = layer.units or (layer.output_shape[-1] if len(layer.output_shape) == 2 else 0) or 0
    rows, means = (history.stat(name)[:, row].astype(np.float64) for name in ("elements", "mean"))
    rows /= max(units, 1)
    least = history.stat("min")[:, row]
    # With as many samples as units, a softmax over the units has the same mean.
    is_known = np.isfinite(means) & (rows > 1) & (rows != units)
    if units < 1 or np.count_nonzero(is_known) < _SUMS or not (least[is_known] >= 0).all():
        return None
    if not (np.abs(rows[is_known] * means[is_known] - 1) < _EQUAL).all():
        return None
    samples = float(rows[is_known][-1])
    return _Misfit(
        BATCH_AXIS,
        samples,
        1,
        f"each of its outputs sums to 1 over the {number(samples)} samples of a batch (threshold 1 sample), so it "
        "compares samples instead of classes",
        "Give softmax the axis of the classes (axis=-1); axis 0 counts the samples.",
    )


def _within_reach(layer: LayerSpec, *, is_large: bool) -> str:
    if is_large:
        return f"Scale the targets to the range of {layer.activation}, or use a linear head and standardize them."
    return f"Use a linear head (activation=None), or scale the targets to the range of {layer.activation}."


def _head(history: History) -> int | None:
    """The row of the layer that the model's only output comes from; None if there are several or it is unknown."""
    graph = history.graph
    rows = [
        row
        for row, layer in enumerate(history.spec.layers)
        if graph.is_head[row] and layer.is_whole and not layer.not_observed and not graph.direct[row].any()
    ]
    return rows[0] if len(rows) == 1 else None


def _beyond_classes(history: History, layer: LayerSpec) -> _Misfit | None:
    units = (layer.output_shape or (None,))[-1]
    _, most = _range(history, "target")
    # A class that the head does not have gives no finite loss. If it is finite, the training step hands something else
    # to the loss, such as similarities between embeddings.
    if units is None or not most >= units or np.isfinite(history.losses[-1]):
        return None
    return _Misfit(
        CLASSES,
        most,
        units - 1,
        f"it has {units} units for the classes 0 to {units - 1}, but the targets hold class {number(most)}",
        f"Give {layer.name} one unit per class ({number(most + 1)}), or number the classes from 0.",
    )


def _range(history: History, kind: str) -> tuple[float, float]:
    """The smallest and the largest value in the kept steps, NaN if not measured."""
    least, most = history.total(f"{kind}_min"), history.total(f"{kind}_max")
    return float(np.fmin.reduce(least)), float(np.fmax.reduce(most))


def _usual_range(history: History) -> tuple[float, float]:
    """The smallest and the largest target of half of the batches: a single outlier is not what the head is for."""
    bounds = (history.total(f"target_{end}") for end in ("min", "max"))
    least, most = (float(np.median(end[np.isfinite(end)])) if np.isfinite(end).any() else math.nan for end in bounds)
    return least, most


def _doubt(misfit: _Misfit, *, learned: bool) -> str:
    if misfit.sign == TARGET_SUM:
        return "Targets that are multiplied by weights or returns, as in policy gradients, look the same."
    if learned:
        return "The loss is falling anyway: most samples may lie within reach."
    return "A custom loss that rescales outputs or targets may fit them to each other."


def _evidence(history: History, row: int, misfit: _Misfit, earlier: OpenFinding | None) -> Evidence:
    layer, learned = history.spec.layers[row], has_learned(history)
    began = earlier.since_step if earlier else history.step
    words = Explanation(
        message=f"{layer.name} does not fit the targets: {misfit.what}, since step {began}.",
        might_be_wrong=_doubt(misfit, learned=learned),
        advice=misfit.advice,
    )
    return Evidence(
        severity=Severity.WARNING if learned and misfit.sign not in (ONE_UNIT, BATCH_AXIS) else Severity.PROBLEM,
        sign=misfit.sign,
        value=misfit.value,
        threshold=misfit.threshold,
        samples=int(np.nansum(history.total("samples"))),
        checks=earlier.checks + 1 if earlier else 1,
        since_step=began,
        explain=Told(words),
    )
