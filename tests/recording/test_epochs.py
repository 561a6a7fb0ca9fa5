"""Which logs of a training are written."""

from __future__ import annotations

import math

import numpy as np

from tb_activations.events.epoch_metrics import LONGEST_NAME, MOST_METRICS
from tb_activations.recording.epochs import EpochLog, readable_metrics
from tb_activations.records.epoch_metrics import EpochMetrics


def written(epochs: int) -> list[int]:
    log = EpochLog()
    kept = [log.add(EpochMetrics(epoch, epoch, {"loss": 1.0})) for epoch in range(epochs)]
    return [metrics.epoch for metrics in [*kept, log.finish()] if metrics is not None]


def test_every_epoch_of_a_short_training_is_written_once() -> None:
    assert written(100) == list(range(100))


def test_a_long_training_stays_small_and_keeps_its_last_epoch() -> None:
    kept = written(20_000)
    assert kept[-1] == 19_999
    assert len(kept) < 700
    assert kept == sorted(set(kept))


def test_only_single_numbers_are_metrics() -> None:
    logs = {
        "loss": 0.5,
        "val_loss": np.float32(0.1),
        "bad": float("nan"),
        "lr": np.array(2),
        "list": [1.0],
        "array": np.ones(1),
        "text": "0.5",
        "nothing": None,
        "x" * (LONGEST_NAME + 1): 1.0,
    }
    metrics = readable_metrics(logs)
    assert list(metrics) == ["loss", "val_loss", "bad", "lr"]
    assert metrics["val_loss"] == 0.100000001
    assert math.isnan(metrics["bad"])
    assert len(readable_metrics({str(index): 1.0 for index in range(1000)})) == MOST_METRICS
