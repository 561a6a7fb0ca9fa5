"""Kernels that start far too large or small for their inputs, and units that start as copies of each other."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from tb_activations.health.history import History
from tb_activations.health.rules.base import Evidence, Judged, Rule
from tb_activations.health.rules.window import has_learnt, rows_per_unit
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import LayerSpec, WeightSpec

GAIN_HIGH = "gain of the initial kernel, at most"
GAIN_LOW = "gain of the initial kernel, at least"
DRIVE = "gain of the initial kernel times the size of its inputs"
EQUAL = "checks in which all units are alike"

EQUAL_WITHIN = 1e-5
"""Means of units that spread by less than this share of the outputs' size are equal within float32."""

SATURATED = 0.5
"""Units that are all pressed against the same bound look alike and need not be copies."""

_FOR_HE = frozenset(
    ("relu", "relu6", "rectifier", "leaky_relu", "elu", "gelu", "silu", "mish", "hard_silu", "smooth rectifier")
)

_NOT_SCALED = frozenset({"Embedding", "ReversibleEmbedding"})


class _Sign(NamedTuple):
    """`bound` says that the value is only known from one side."""

    quantity: str
    value: float
    threshold: float
    bound: str = ""


@dataclasses.dataclass(frozen=True)
class PoorInit(Rule):
    """Gain is the kernel's root mean square times the root of its fan-in: 1 keeps the size of the signal, √2 is He's.

    Attributes:
        gain_high, gain_low: limits of the gain before the first step.
        drive: limit of the gain times the root mean square of the inputs, where that was measured.
        equal_checks: so many checks in a row must find all units alike.
        judged_until: observed steps after which a training that learns makes the finding a note.
    """

    gain_high: float = 5
    gain_low: float = 0.05
    drive: float = 30
    equal_checks: float = 10
    judged_until: float = 20

    id: ClassVar[str] = "poor_init"
    title: ClassVar[str] = "Poor initialisation"
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
    }

    def judge(self, history: History, earlier: Sequence[Finding | None]) -> list[Judged]:
        # A training that continues has no initial weights to look at.
        begins = history.first is not None and history.first.step == 0
        gains = _gains(history) if begins else {}
        answers: list[Judged] = []
        for row, layer in enumerate(history.spec.layers):
            if layer.call_site or not layer.trainable or row not in gains:
                answers.append(Outcome.NOT_APPLICABLE)
            else:
                answers.append(self._judge_layer(history, row, gains[row], earlier[row]))
        return answers

    def _judge_layer(self, history: History, row: int, gains: list[Gain], earlier: Finding | None) -> Judged:
        layer = history.spec.layers[row]
        is_zero = all(gain.most == 0 for gain in gains)
        if not is_zero and layer.class_name not in _NOT_SCALED and not history.graph.is_normalised[row]:
            sign = self._scale(gains, _input_size(history, row))
            if sign is not None:
                return self._evidence(history, row, sign, earlier)
        if history.graph.is_head[row] or layer.units < 2:
            return Outcome.OK
        alike = _alike(history, row, is_zero=is_zero)
        if earlier and alike:
            return self._evidence(history, row, _Sign(EQUAL, earlier.value + 1, self.equal_checks), earlier)
        if alike >= self.equal_checks and history.checks == alike:
            return self._evidence(history, row, _Sign(EQUAL, float(alike), self.equal_checks), earlier)
        return Outcome.OK if history.checks >= self.equal_checks or not alike else Outcome.INSUFFICIENT_DATA

    def _scale(self, gains: list[Gain], size: float) -> _Sign | None:
        """What is wrong with the scale of kernels whose layer is given inputs of this size (NaN where not measured)."""
        scaled = [gain for gain in gains if gain.most > 0]
        of_inputs = [gain for gain in scaled if gain.is_of_inputs]
        high, low = max(scaled, key=lambda gain: gain.least), min(scaled, key=lambda gain: gain.most)
        if high.least > self.gain_high:
            return _Sign(GAIN_HIGH, high.least, self.gain_high, "" if high.is_exact else "at least ")
        if low.most < self.gain_low:
            return _Sign(GAIN_LOW, low.most, self.gain_low, "" if low.is_exact else "at most ")
        drive = size * max((gain.least for gain in of_inputs), default=0.0)
        return _Sign(DRIVE, drive, self.drive) if drive > self.drive else None

    def _evidence(
        self,
        history: History,
        row: int,
        sign: _Sign,
        earlier: Finding | None,
    ) -> Evidence:
        quantity, value, threshold, bound = sign
        layer = history.spec.layers[row]
        learnt = history.checks > self.judged_until and has_learnt(history)
        what = {
            GAIN_HIGH: f"its kernel has gain {bound}{value:.2g} (threshold {threshold:g})",
            GAIN_LOW: f"its kernel has gain {bound}{value:.2g} (threshold {threshold:g})",
            DRIVE: f"its inputs have root mean square {_input_size(history, row):.3g}, which its kernel makes about "
            f"{value:.3g} (an estimate from its gain; threshold {threshold:g})",
            EQUAL: f"all {layer.units} units output the same in {value:.0f} checks (threshold {threshold:g})",
        }[quantity]
        return Evidence(
            severity=Severity.NOTE if learnt else Severity.WARNING,
            quantity=quantity,
            value=value,
            threshold=threshold,
            samples=int(rows_per_unit(history, row)[-1]),
            checks=earlier.checks + 1 if earlier else history.checks,
            since_step=0,
            message=f"{layer.name} starts badly: {what}, since step 0.",
            might_be_wrong=_doubt(quantity, learnt=learnt),
            advice=_advice(layer, quantity),
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return {
            GAIN_HIGH: f"kernel starts too large (gain {finding.value:.2g})",
            GAIN_LOW: f"kernel starts too small (gain {finding.value:.1g})",
            DRIVE: f"inputs are too large for it (about {finding.value:.2g} behind its kernel)",
            EQUAL: "all units are copies of each other",
        }.get(finding.quantity, f"starts badly ({finding.value:.2g})")


@dataclasses.dataclass(frozen=True)
class Gain:
    """Gain of a kernel before the first step, between two bounds where its shape does not tell its fan-in.

    `is_of_inputs`: whether it is applied to what the layer is given, rather than to a state or to another kernel's
    outcome.
    """

    least: float
    most: float
    is_of_inputs: bool

    @property
    def is_exact(self) -> bool:
        return self.least == self.most


def _gains(history: History) -> dict[int, list[Gain]]:
    """Layer row to the gains of its kernels before the first step."""
    assert history.first is not None
    rows = {layer.name: row for row, layer in enumerate(history.spec.layers)}
    gains: dict[int, list[Gain]] = {}
    norms = history.first.weight("weight_norm").astype(np.float64)
    for weight, norm in zip(history.spec.weights, norms if len(norms) else [], strict=False):
        row = rows.get(weight.layer)
        if row is None or not _is_kernel(weight) or not np.isfinite(norm):
            continue
        least, most = fan_in(weight, history.spec.layers[row].class_name)
        size = float(norm) / math.sqrt(math.prod(weight.shape))
        is_of_inputs = not weight.name.endswith(("recurrent_kernel", "pointwise_kernel"))
        gains.setdefault(row, []).append(Gain(size * math.sqrt(least), size * math.sqrt(most), is_of_inputs))
    return gains


def fan_in(weight: WeightSpec, class_name: str) -> tuple[float, float]:
    """How many numbers one output of a kernel is summed from: at least, at most.

    Args:
        weight: of rank >= 2.
        class_name: of its layer. The kernel of a class of one's own is read as one whose last axis counts outputs.
    """
    *space, inner, outer = weight.shape
    positions = math.prod(space)
    if class_name.startswith("DepthwiseConv") or weight.name.endswith("depthwise_kernel"):
        return positions, positions
    if "Transpose" in class_name:
        # A stride that is not known leaves each output between one position of the kernel and all of them.
        return outer, positions * outer
    if class_name == "EinsumDense":
        # The equation says how many of the leading axes are summed over, which the shape does not.
        return weight.shape[0], positions * inner
    return positions * inner, positions * inner


def _is_kernel(weight: WeightSpec) -> bool:
    return len(weight.shape) > 1 and weight.name.endswith("kernel") and math.prod(weight.shape) > 0


def _input_size(history: History, row: int) -> float:
    """Root mean square of what the layer was given at the first step, NaN where it was not measured."""
    assert history.first is not None
    return float(history.first.layer("input_rms")[row])


def _alike(history: History, row: int, *, is_zero: bool) -> int:
    """In how many of the last checks in a row all units put out the same; zeros count for a kernel of zeros only."""
    means, deviations = history.stat("mean")[:, row], history.stat("std")[:, row]
    size = np.hypot(means, deviations).astype(np.float64)
    spread = history.stat("unit_std")[:, row].astype(np.float64)
    own = history.unit_slices[row]
    peaks = history.recent_peaks[own]
    if history.latest("saturated_fraction")[row] > SATURATED:
        return 0
    if not (peaks == peaks[:1]).all() or (not is_zero and not np.all(peaks > 0)):
        return 0
    alike = (spread <= EQUAL_WITHIN * size) & np.isfinite(size)
    broken = np.flatnonzero(~alike)
    return len(alike) if not broken.size else int(len(alike) - 1 - broken[-1])


def _doubt(quantity: str, *, learnt: bool) -> str:
    if quantity == EQUAL:
        return (
            "Layers of one answer for all units (a broadcast scale) look the same, and so does a branch not yet in use."
        )
    if learnt:
        return "The loss falls all the same: the optimizer has made up for it."
    return (
        "Pretrained weights, networks scaled on purpose (Fixup, maximal update) and layers whose scale a later "
        "division takes "
        "back need no such gain."
    )


def _advice(layer: LayerSpec, quantity: str) -> str:
    if quantity == EQUAL:
        return f"Start {layer.name} at random: glorot_uniform or he_normal, not zeros, ones or another constant."
    if quantity == DRIVE:
        return (
            f"Standardise what {layer.name} is given (a Normalization layer adapted to the training data, or a "
            "normalisation "
            "before it): its size comes from the inputs, not from the kernel."
        )
    name = "he_normal" if layer.activation in _FOR_HE else "glorot_uniform"
    return f"Use {name} for the kernel of {layer.name}: it keeps the size of the signal, layer after layer."
