"""Names and sizes of the event format; `docs/events.md` explains them."""

from __future__ import annotations

import json

import numpy as np

from tb_activations.records.columns import (
    HISTOGRAM_BUCKETS,
    HISTOGRAM_KINDS,
    LAYER_COLUMNS,
    STEP_COLUMNS,
    WEIGHT_COLUMNS,
)

PLUGIN_NAME = "layer_health"
SCHEMA_VERSION = 3

RUN = "layer_health/run"
LAYERS = "layer_health/layers"
WEIGHTS = "layer_health/weights"
STEP = "layer_health/step"
UNITS = "layer_health/units"
HISTOGRAMS = "layer_health/histograms"
SEQUENCES = "layer_health/sequences"
OUTCOMES = "layer_health/outcomes"
TRAINING = "layer_health/training"
FINDINGS = "layer_health/findings"
COST = "layer_health/cost"
STATE = "layer_health/state"
EPOCH = "layer_health/epoch"

PACKED: dict[str, type[np.generic]] = {
    LAYERS: np.float32,
    WEIGHTS: np.float32,
    HISTOGRAMS: np.float32,
    SEQUENCES: np.float32,
    OUTCOMES: np.uint8,
}
"""Tags whose points are packed tables of this kind; so are `UNITS`. Version 1 has plain tensors instead.
Since version 3 `FINDINGS` are packed as well, in a form of their own."""

HISTOGRAM_SHAPE = (len(HISTOGRAM_KINDS), HISTOGRAM_BUCKETS + 2)
"""Shape of one layer in `HISTOGRAMS`: kinds, then lowest edge, highest edge and counts."""

COST_COLUMNS = ("overhead", "observation_seconds", "interval", "one_time_seconds")

COLUMNS: dict[str, tuple[str, ...]] = {
    RUN: (),
    LAYERS: LAYER_COLUMNS,
    WEIGHTS: WEIGHT_COLUMNS,
    STEP: STEP_COLUMNS,
    UNITS: ("activity", "peak", "known"),
    HISTOGRAMS: ("low", "high", "counts"),
    SEQUENCES: ("row", "length", "activity", "gradient"),
    OUTCOMES: (),
    TRAINING: (),
    FINDINGS: (),
    COST: COST_COLUMNS,
    STATE: (),
    EPOCH: (),
}
"""The column names in each tag's metadata. Those of `OUTCOMES` and `TRAINING` are the rule ids of the run."""


def version(content: bytes) -> int:
    """The schema version in a tag's metadata, 0 if it cannot be read."""
    try:
        stated = json.loads(content)["schema"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0
    return stated if isinstance(stated, int) else 0
