"""Trainings that several tests compare; each is recorded once."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tb_activations import LayerHealth
from tests.clocked import clocked
from tests.golden.changes import train

Recorded = Callable[[str], Path]


def clock(start: float) -> Callable[[], float]:
    """A clock that advances by a millisecond with every reading."""
    readings = itertools.count()
    return lambda: start + next(readings) * 0.001


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """The log directory of the training with a change; "" for the unchanged training, "again" for its repetition."""
    folder = tmp_path_factory.mktemp("changes")

    def record(change: str) -> Path:
        log_dir = folder / (change or "unchanged").replace(" ", "_")
        if not log_dir.exists():
            callback = LayerHealth(log_dir, update_freq=1, image_freq=0, histogram_freq=0)
            train("" if change == "again" else change, clocked(callback, clock(0.0), clock(1_800_000_000.0)))
        return log_dir

    return record
