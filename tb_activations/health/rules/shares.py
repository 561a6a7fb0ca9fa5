"""How bad it is when a share of a layer's units is sick."""

from __future__ import annotations

import dataclasses

from tb_activations.records.finding import Finding, Severity

HYSTERESIS = 0.8
"""An open finding keeps its severity down to this share of the threshold, so that one near it does not come and go."""


@dataclasses.dataclass(frozen=True)
class Shares:
    """The share, in [0, 1], from which each severity holds."""

    note: float
    warning: float
    problem: float

    def severity(self, share: float, earlier: Finding | None = None) -> Severity | None:
        """What this share of a layer's units amounts to; None for nothing. `earlier` is the finding that is open."""
        if earlier and share and self._plain(share / HYSTERESIS) is earlier.severity:
            return earlier.severity
        return self._plain(share)

    def threshold(self, severity: Severity, share: float) -> float:
        """What the share was compared with when it was given this severity."""
        threshold = {Severity.NOTE: self.note, Severity.WARNING: self.warning, Severity.PROBLEM: self.problem}[severity]
        return threshold if share >= threshold else threshold * HYSTERESIS

    def _plain(self, share: float) -> Severity | None:
        if share >= self.problem:
            return Severity.PROBLEM
        if share >= self.warning:
            return Severity.WARNING
        return Severity.NOTE if share >= self.note else None
