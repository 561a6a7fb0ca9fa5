"""Findings as alerts of Trackio."""

from __future__ import annotations

from typing import Any

from tb_activations.integrations.delivery import Delivery
from tb_activations.integrations.wording import body, heading, required
from tb_activations.records.finding import Finding, Severity

PATIENCE = 2.0
"""Seconds to wait for an alert, so that a run that is finished right afterwards has it."""
LEVELS = {Severity.NOTE: "INFO", Severity.WARNING: "WARN", Severity.PROBLEM: "ERROR"}


class TrackioAlerts:
    """An alert per finding; for `LayerHealth(on_problem=TrackioAlerts())` after `trackio.init()`.

    Raises:
        ImportError: trackio is not installed.
    """

    def __init__(self) -> None:
        self._trackio = required("trackio", "trackio", "TrackioAlerts")
        self.delivery = Delivery("Trackio")

    def __deepcopy__(self, memo: dict[int, Any]) -> TrackioAlerts:
        return self

    def __call__(self, finding: Finding) -> None:
        # The current run is a context variable, which the thread of the delivery gets a copy of.
        self.delivery.submit(lambda: self._alert(finding), PATIENCE)

    def _alert(self, finding: Finding) -> None:
        level = getattr(self._trackio.AlertLevel, LEVELS[finding.severity])
        self._trackio.alert(title=heading(finding), text=body(finding), level=level)
