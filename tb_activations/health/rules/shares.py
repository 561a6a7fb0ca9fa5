"""Severity of a finding by the share of a layer's units that it affects."""

from __future__ import annotations

import dataclasses

from tb_activations.health.rules.base import OpenFinding, limit_in_words
from tb_activations.records.finding import Severity

HYSTERESIS = 0.8
"""An open finding keeps its severity down to this share of the threshold, so that it does not open and close often."""


@dataclasses.dataclass(frozen=True)
class Shares:
    """The lowest share, in [0, 1], of each severity."""

    note: float
    warning: float
    problem: float

    @property
    def least(self) -> float:
        """The lowest share that has a severity."""
        return min(self.note, self.warning, self.problem)

    def severity(self, share: float, earlier: OpenFinding | None = None) -> Severity | None:
        """The severity of this share, None if it is below all thresholds. `earlier` is the open finding, if any."""
        if earlier and share and self._plain(share / HYSTERESIS) is earlier.severity:
            return earlier.severity
        return self._plain(share)

    def threshold(self, severity: Severity) -> float:
        """The threshold of this severity."""
        return {Severity.NOTE: self.note, Severity.WARNING: self.warning, Severity.PROBLEM: self.problem}[severity]

    def in_words(self, severity: Severity, share: float) -> str:
        """The threshold of this severity; the closing one too if only that one keeps it."""
        threshold = self.threshold(severity)
        return limit_in_words(threshold, threshold * HYSTERESIS, is_eased=share < threshold, unit="share")

    def _plain(self, share: float) -> Severity | None:
        if share >= self.problem:
            return Severity.PROBLEM
        if share >= self.warning:
            return Severity.WARNING
        return Severity.NOTE if share >= self.note else None
