"""Which epochs of a training have their metrics written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tb_activations.events.epoch_metrics import LONGEST_NAME, MOST_METRICS
from tb_activations.records.epoch_metrics import EpochMetrics

_GROWTH = 1.01
"""Epochs are written while they are few, and later whenever there are 1 % more of them, so that long runs stay small:
at most 100 (1 + ln(n / 100)) of n epochs."""


class EpochLog:
    """Takes the metrics of every epoch and gives back those to write; the last one is never lost."""

    def __init__(self) -> None:
        self._due = 0.0
        self._waiting: EpochMetrics | None = None

    def add(self, metrics: EpochMetrics) -> EpochMetrics | None:
        """The metrics to write at the end of this epoch, None if they can wait."""
        if metrics.epoch < self._due:
            self._waiting = metrics
            return None
        self._waiting, self._due = None, metrics.epoch * _GROWTH
        return metrics

    def finish(self) -> EpochMetrics | None:
        """The metrics to write at the end of a training: those of its last epoch, unless they are written."""
        last, self._waiting, self._due = self._waiting, None, 0.0
        return last


def readable_metrics(logs: Mapping[str, Any]) -> dict[str, float]:
    """Those logs that are single numbers; anything else is left out, as are names longer than `LONGEST_NAME`."""
    metrics = {}
    for name, value in logs.items():
        number = _number(value)
        if number is not None and isinstance(name, str) and len(name) <= LONGEST_NAME:
            metrics[name] = number
        if len(metrics) == MOST_METRICS:
            break
    return metrics


def _number(value: Any) -> float | None:
    if np.ndim(value) or isinstance(value, str | bytes):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    # A float32 metric has no more digits than this, and would otherwise be written with seventeen.
    return float(f"{number:.9g}") if math.isfinite(number) else number
