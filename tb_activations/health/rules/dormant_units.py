"""Units whose outputs are tiny compared with their layer's, for activations that are never exactly zero."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import PEAK_CHECKS, History
from tb_activations.health.rules.base import (
    ANYWHERE,
    FORWARD,
    Answers,
    Cause,
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
from tb_activations.health.rules.dead_units import FEW_UNITS, RELU_FAMILY
from tb_activations.health.rules.deaths import UNITS_LISTED
from tb_activations.health.rules.shares import HYSTERESIS, Shares
from tb_activations.health.rules.usual_causes import weighted_before
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number, percent
from tb_activations.records.specs import LayerSpec

DORMANT_SHARE = Sign("dormant_share", "share of units dormant", "share")

JUDGED = frozenset(
    {
        *("gelu", "silu", "swish", "mish", "elu", "selu", "celu", "leaky_relu", "prelu", "softplus"),
        *("tanh", "tanh_shrink", "soft_shrink", "hard_shrink", "squareplus", "glu"),
        *("log_sigmoid", "smooth rectifier"),
    }
)
"""Activations whose units fade instead of becoming exactly zero. Dead units are the rule for the ReLU family."""

SHARING = "softmax"
"""Its units share one weight. Of a layer that makes it with weights of its own, as a router of experts does, they are
judged; others share among positions, of which padding gets nothing.
"""


@dataclasses.dataclass(frozen=True)
class DormantUnits(LayerRule):
    """A unit is dormant if its largest output in the last checks is a small share of the mean over the layer.

    Sokar et al. compare mean absolute outputs. The largest output is used instead, so that a unit that responds
    strongly to few samples does not count as dormant.

    Attributes:
        tau: share of the mean of the layer's units.
        min_samples: samples needed.
    """

    tau: float = 0.025
    note_share: float = 0.25
    warning_share: float = 0.5
    problem_share: float = 0.8
    min_samples: float = 300

    id: ClassVar[str] = "dormant_units"
    title: ClassVar[str] = "Dormant units"
    why: ClassVar[str] = "Units that hardly respond cost time and memory, and leave the layer less able to learn."
    signs: ClassVar[tuple[Sign, ...]] = (DORMANT_SHARE,)
    causes: ClassVar[tuple[Cause, ...]] = (Cause("poor_init", FORWARD), Cause("exploding_gradient", ANYWHERE))
    source: ClassVar[str] = (
        "Sokar et al. 2023, 'The dormant neuron phenomenon' (score and tau); shares as for dead units"
    )
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "tau": (0, 1),
        "note_share": (0, 1),
        "warning_share": (0, 1),
        "problem_share": (0, 1),
        "min_samples": (1, 1e9),
    }
    labels: ClassVar[Mapping[str, Label]] = {
        "tau": Label("Dormant below this part of the layer's mean output", "share"),
        "note_share": Label("Note from", "share"),
        "warning_share": Label("Warning from", "share"),
        "problem_share": Label("Problem from", "share"),
        "min_samples": Label("Samples needed", "samples"),
    }

    def judge(self, history: History, earlier: Earlier) -> Answers:
        is_judged = history.once("fading layers", _is_judged)
        outcomes = outcomes_of((~is_judged, Outcome.NOT_APPLICABLE), otherwise=Outcome.INSUFFICIENT_DATA)
        if history.checks < PEAK_CHECKS or not is_judged.any():
            return Answers(outcomes, {})
        peaks = history.recent_peaks
        samples = np.ascontiguousarray(history.rows[-PEAK_CHECKS:].T).sum(axis=1)
        is_known = history.unit_counts(np.isfinite(peaks)) == history.units_of
        means = history.unit_means(peaks)
        dormant = peaks <= np.repeat(self.tau * means, history.units_of)
        counts = history.unit_counts(dormant)
        is_decided = is_judged & (samples >= self.min_samples) & is_known
        outcomes[is_decided] = Outcome.OK
        # One huge unit makes all others look small, so a few large units do not define the scale.
        is_scaled = history.units_of - counts >= np.maximum(2, 0.05 * history.units_of)
        is_scaled |= history.once("sharing layers", _shares_weight)
        shares = counts / np.maximum(history.units_of, 1)
        found = {}
        for row in np.flatnonzero(is_decided & is_scaled & either(shares >= self._shares.least, earlier)).tolist():
            severity = self._shares.severity(float(shares[row]), earlier.get(row))
            if severity is not None:
                own = history.unit_slices[row]
                faint = _Faint(float(shares[row]), peaks[own].copy(), dormant[own].copy(), float(means[row]))
                found[row] = self._evidence(history, row, faint, severity, int(samples[row]), earlier.get(row))
        return Answers(outcomes, found)

    @functools.cached_property
    def _shares(self) -> Shares:
        return Shares(self.note_share, self.warning_share, self.problem_share)

    def _evidence(
        self,
        history: History,
        row: int,
        faint: _Faint,
        severity: Severity,
        samples: int,
        earlier: OpenFinding | None,
    ) -> Evidence:
        threshold = self._shares.threshold(severity)
        began = earlier.since_step if earlier else int(history.steps[-min(PEAK_CHECKS, history.checks)])
        return Evidence(
            severity=severity,
            sign=DORMANT_SHARE,
            value=faint.share,
            threshold=threshold,
            samples=samples,
            checks=earlier.checks + 1 if earlier else PEAK_CHECKS,
            since_step=began,
            explain=functools.partial(
                self._explain,
                history.spec.layers[row],
                weighted_before(history, history.spec.layers[row]),
                faint,
                severity,
                began,
                is_faded=began > history.first_step,
            ),
            unit_count=int(np.count_nonzero(faint.dormant)),
            closing_threshold=threshold * HYSTERESIS,
        )

    def _explain(
        self, layer: LayerSpec, source: LayerSpec, faint: _Faint, severity: Severity, began: int, *, is_faded: bool
    ) -> Explanation:
        indices = np.flatnonzero(faint.dormant)
        return Explanation(
            message=(
                f"{percent(faint.share)} of the units of {layer.name} ({indices.size} of {layer.units}) output at most "
                f"{number(float(faint.peaks[faint.dormant].max()))}, below {number(self.tau)} of the layer's mean "
                f"{number(faint.mean)} "
                f"({self._shares.in_words(severity, faint.share)} of the units), since step {began}."
            ),
            might_be_wrong=(
                "Next to a few very strong units others look small although they carry signal; a later layer with "
                "large weights can compensate."
            ),
            advice=_advice(source, layer, is_faded=is_faded),
            units=tuple(indices[:UNITS_LISTED].tolist()),
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return f"{percent(finding.value)} of units dormant"


class _Faint(NamedTuple):
    """The share of a layer's units that are dormant, the peaks of all its units, which are dormant, their mean."""

    share: float
    peaks: NDArray[np.float32]
    dormant: NDArray[np.bool_]
    mean: float


def _is_judged(history: History) -> NDArray[np.bool_]:
    fades = np.array([layer.activation in JUDGED - RELU_FAMILY for layer in history.spec.layers], bool)
    fades |= history.once("sharing layers", _shares_weight)
    result: NDArray[np.bool_] = fades & history.is_whole & (history.units_of >= FEW_UNITS) & ~history.graph.is_head
    return result


def _shares_weight(history: History) -> NDArray[np.bool_]:
    return np.array([layer.activation == SHARING and bool(layer.parameters) for layer in history.spec.layers], bool)


def _advice(source: LayerSpec, layer: LayerSpec, *, is_faded: bool) -> str:
    """`source` is the layer whose weights the units of `layer` are made with."""
    if layer.activation == SHARING:
        return (
            f"The units of {layer.name} get no weight from any sample, so what they choose is never trained. Add a "
            "loss that balances how often each is chosen, or one for the entropy of their mean; noise before the "
            "softmax and smaller initial weights also help."
        )
    if is_faded:
        return (
            f"The units faded during training. Remove or lower the penalties on {source.name} (kernel_regularizer, "
            "activity_regularizer, weight decay): they pull whole units to zero. Otherwise lower the learning rate, or "
            f"normalize before {layer.activation}."
        )
    return (
        f"The units were dormant from the start: reinitialize the kernel and the bias of {source.name} (he_normal, "
        f"zero bias). Strongly negative inputs of {layer.activation} do that; normalization before it also helps."
    )
