"""Other tools hear of findings: experiment trackers, a webhook, and hyperparameter searches.

- `Webhook`, `WandbAlerts`, `TrackioAlerts`, `MlflowTags`: for `LayerHealth(on_problem=...)`.
- `LayerHealthPruner`: stops the sick trials of Optuna and Keras Tuner.

Every name is imported on first use; each needs its own library only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tb_activations.integrations.mlflow_tags import MlflowTags as MlflowTags
    from tb_activations.integrations.pruner import LayerHealthPruner as LayerHealthPruner
    from tb_activations.integrations.trackio_alerts import TrackioAlerts as TrackioAlerts
    from tb_activations.integrations.wandb_alerts import WandbAlerts as WandbAlerts
    from tb_activations.integrations.webhook import Webhook as Webhook

__all__ = ["LayerHealthPruner", "MlflowTags", "TrackioAlerts", "WandbAlerts", "Webhook"]

_HOMES = {
    "LayerHealthPruner": "pruner",
    "MlflowTags": "mlflow_tags",
    "TrackioAlerts": "trackio_alerts",
    "WandbAlerts": "wandb_alerts",
    "Webhook": "webhook",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; its names are {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
