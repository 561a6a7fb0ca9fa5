"""Findings as tags of an MLflow run."""

from __future__ import annotations

import re
from typing import Any

from tb_activations.integrations.delivery import Delivery
from tb_activations.integrations.wording import body, required
from tb_activations.records.finding import WHOLE, Finding

LONGEST_KEY, LONGEST_VALUE = 250, 5000
PATIENCE = 2.0
"""Seconds to wait for the tracking server, if no tag is waiting already."""


class MlflowTags:
    """Sets tags on the run; for `LayerHealth(on_problem=MlflowTags())` within `mlflow.start_run()`.

    `layer_health` is the severity of the latest finding, so that `tags.layer_health = "problem"` finds sick runs.
    `layer_health.<rule>.<layer>` has the text of a finding.

    Args:
        run_id: id of the run; None for the active one.

    Raises:
        ImportError: mlflow is not installed.
    """

    def __init__(self, run_id: str | None = None) -> None:
        self._mlflow = required("mlflow", "mlflow", "MlflowTags")
        self._run_id = run_id
        self.delivery = Delivery("MLflow")

    def __deepcopy__(self, memo: dict[int, Any]) -> MlflowTags:
        return self

    def __call__(self, finding: Finding) -> None:
        active = self._mlflow.active_run()
        run_id = self._run_id or (active.info.run_id if active else None)
        self.delivery.submit(lambda: self._set(run_id, finding), PATIENCE)

    def _set(self, run_id: str | None, finding: Finding) -> None:
        if run_id is None:
            raise RuntimeError("there is no active run; train within mlflow.start_run()")
        client = self._mlflow.MlflowClient()
        client.set_tag(run_id, "layer_health", finding.severity.value)
        client.set_tag(run_id, key_of(finding), body(finding)[:LONGEST_VALUE])


def key_of(finding: Finding) -> str:
    """The tag of a finding; characters that MLflow does not allow become underscores."""
    place = "training" if finding.layer == WHOLE else finding.layer
    return re.sub(r"[^A-Za-z0-9_.\- ]", "_", f"layer_health.{finding.rule}.{place}")[:LONGEST_KEY]
