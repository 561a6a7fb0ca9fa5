"""Units that put out next to nothing beside their neighbours, where the activation is never exactly zero."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import PEAK_CHECKS, History
from tb_activations.health.rules.base import Evidence, Judged, Rule, percent
from tb_activations.health.rules.dead_units import FEW_UNITS, RELU_FAMILY, UNITS_LISTED
from tb_activations.health.rules.shares import Shares
from tb_activations.health.rules.window import rows_per_unit
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import LayerSpec

JUDGED = frozenset(
    {
        *("gelu", "silu", "swish", "mish", "elu", "selu", "celu", "leaky_relu", "prelu", "softplus"),
        *("tanh", "tanh_shrink", "soft_shrink", "hard_shrink", "squareplus", "glu"),
        *("log_sigmoid", "smooth rectifier"),
    }
)
"""Activations around zero whose units fade rather than fall silent; the ReLU family has a rule of its own."""


@dataclasses.dataclass(frozen=True)
class DormantUnits(Rule):
    """A unit is dormant when its largest output of the last checks is a small share of its neighbours'.

    Sokar et al. divide mean absolute outputs; largest outputs are never below, so that a unit that answers few samples
    strongly is not called dormant.

    Attributes:
        tau: share of the mean of the layer's units.
        min_samples: over so many samples at least.
    """

    tau: float = 0.025
    note_share: float = 0.25
    warning_share: float = 0.5
    problem_share: float = 0.8
    min_samples: float = 300

    id: ClassVar[str] = "dormant_units"
    title: ClassVar[str] = "Dormant units"
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
        # Beside one huge unit all others look small; it takes a part of the layer to set the measure.
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
        threshold = self._shares.threshold(severity, share)
        began = earlier.since_step if earlier else int(history.steps[-min(PEAK_CHECKS, history.checks)])
        indices = np.flatnonzero(dormant)
        return Evidence(
            severity=severity,
            quantity="share of units dormant",
            value=share,
            threshold=threshold,
            samples=samples,
            checks=earlier.checks + 1 if earlier else PEAK_CHECKS,
            since_step=began,
            message=(
                f"{percent(share)} of the units of {layer.name} ({indices.size} of {layer.units}) put out at most "
                f"{float(peaks[dormant].max()):.2g}, under {self.tau:g} of the layer's mean of "
                f"{float(peaks.mean()):.2g} "
                f"(threshold {percent(threshold)} of the units), since step {began}."
            ),
            might_be_wrong=(
                "Beside a few very strong units others look small though they carry signal; a layer behind with large "
                "weights can make up for it."
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
        f"Look at biases and kernel of {layer.name}: inputs of {layer.activation} that are strongly negative, or a "
        "kernel that decays towards zero, put units to sleep. Smaller weight decay, a smaller learning rate, "
        "normalisation before the activation, or starting these units afresh help."
    )
