"""Findings as alerts of Weights & Biases."""

from __future__ import annotations

from typing import Any

from tb_activations.integrations.delivery import Delivery
from tb_activations.integrations.wording import body, heading, required
from tb_activations.records.finding import Finding, Severity

LONGEST_TITLE = 63
PATIENCE = 2.0
"""Seconds to wait for an alert, so that a run that is finished right afterwards has it."""
LEVELS = {Severity.NOTE: "INFO", Severity.WARNING: "WARN", Severity.PROBLEM: "ERROR"}


class WandbAlerts:
    """An alert per finding; for `LayerHealth(on_problem=WandbAlerts())` after `wandb.init()`.

    W&B sends alerts to Slack or by email, as the settings of the user say.

    Args:
        run: the run that `wandb.init()` returned; None for the current one.

    Raises:
        ImportError: wandb is not installed.
    """

    def __init__(self, run: Any = None) -> None:
        self._wandb = required("wandb", "wandb", "WandbAlerts")
        self._run = run
        self.delivery = Delivery("W&B")

    def __deepcopy__(self, memo: dict[int, Any]) -> WandbAlerts:
        return self

    def __call__(self, finding: Finding) -> None:
        run = self._run or self._wandb.run
        self.delivery.submit(lambda: _alert(run, finding), PATIENCE)


def _alert(run: Any, finding: Finding) -> None:
    if run is None:
        raise RuntimeError("there is no run; call wandb.init() before training begins")
    run.alert(heading(finding, LONGEST_TITLE), body(finding), level=LEVELS[finding.severity])
