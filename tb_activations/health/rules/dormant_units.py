"""Units whose outputs are tiny compared with their layer's, for activations that are never exactly zero."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import PEAK_CHECKS, History
from tb_activations.health.rules.base import ANYWHERE, FORWARD, Cause, Evidence, Judged, Label, LayerRule, Sign
from tb_activations.health.rules.dead_units import FEW_UNITS, RELU_FAMILY, UNITS_LISTED
from tb_activations.health.rules.shares import HYSTERESIS, Shares
from tb_activations.health.rules.window import rows_per_unit
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

    def judge(self, history: History, earlier: Sequence[Finding | None]) -> list[Judged]:
        peaks = history.recent_peaks
        return [
            self._judge_layer(history, row, peaks[history.unit_slices[row]], earlier[row])
            for row in range(len(history.spec.layers))
        ]

    def _judge_layer(self, history: History, row: int, peaks: NDArray[np.float32], earlier: Finding | None) -> Judged:
        layer = history.spec.layers[row]
        if layer.call_site or layer.activation not in JUDGED or layer.activation in RELU_FAMILY:
            return Outcome.NOT_APPLICABLE
        if layer.units < FEW_UNITS or history.graph.is_head[row]:
            return Outcome.NOT_APPLICABLE
        samples = rows_per_unit(history, row)[-PEAK_CHECKS:].sum()
        known = np.isfinite(peaks)
        if history.checks < PEAK_CHECKS or samples < self.min_samples or not known.all():
            return Outcome.INSUFFICIENT_DATA
        dormant = peaks <= self.tau * peaks.mean()
        # One huge unit makes all others look small, so a few large units do not define the scale.
        if np.count_nonzero(~dormant) < max(2, 0.05 * layer.units):
            return Outcome.OK
        share = float(dormant.mean())
        severity = self._shares.severity(share, earlier)
        if severity is None:
            return Outcome.OK
        return self._evidence(history, row, peaks, dormant, severity, int(samples), earlier)

    @property
    def _shares(self) -> Shares:
        return Shares(self.note_share, self.warning_share, self.problem_share)

    def _evidence(
        self,
        history: History,
        row: int,
        peaks: NDArray[np.float32],
        dormant: NDArray[np.bool_],
        severity: Severity,
        samples: int,
        earlier: Finding | None,
    ) -> Evidence:
        layer, share = history.spec.layers[row], float(dormant.mean())
        threshold = self._shares.threshold(severity)
        began = earlier.since_step if earlier else int(history.steps[-min(PEAK_CHECKS, history.checks)])
        indices = np.flatnonzero(dormant)
        return Evidence(
            severity=severity,
            sign=DORMANT_SHARE,
            value=share,
            threshold=threshold,
            closing_threshold=threshold * HYSTERESIS,
            samples=samples,
            checks=earlier.checks + 1 if earlier else PEAK_CHECKS,
            since_step=began,
            message=(
                f"{percent(share)} of the units of {layer.name} ({indices.size} of {layer.units}) output at most "
                f"{number(float(peaks[dormant].max()))}, below {number(self.tau)} of the layer's mean "
                f"{number(float(peaks.mean()))} "
                f"({self._shares.in_words(severity, share)} of the units), since step {began}."
            ),
            might_be_wrong=(
                "Next to a few very strong units others look small although they carry signal; a later layer with "
                "large weights can compensate."
            ),
            advice=_advice(layer),
            units=tuple(int(index) for index in indices[:UNITS_LISTED]),
            unit_count=int(indices.size),
        )

    @staticmethod
    def headline(finding: Finding) -> str:
        return f"{percent(finding.value)} of units dormant"


def _advice(layer: LayerSpec) -> str:
    return (
        f"Check biases and kernel of {layer.name}: strongly negative inputs of {layer.activation}, or a kernel that "
        "decays toward zero, make units dormant. Try less weight decay, a smaller learning rate, normalization before "
        "the activation, or reinitialize these units."
    )
