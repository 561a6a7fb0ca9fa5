"""The same seeded training on the same machine writes the same bytes, if the clocks give the same readings.

`tests/golden/test_changes.py` shows it for one model in every run of the tests, and this file for every kind.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.compat.proto.event_pb2 import Event

from tb_activations import LayerHealth
from tb_activations.events import schema
from tb_activations.events.record_file import records
from tests.clocked import clocked
from tests.training.models import KINDS, digits, train


def clock(start: float, seconds_a_reading: float) -> Callable[[], float]:
    """A clock that advances by this much with every reading."""
    readings = itertools.count()
    return lambda: start + next(readings) * seconds_a_reading


def recorded(kind: str, folder: Path, *, with_clocks: bool) -> bytes:
    """The bytes of the event file of a training, with everything that can be recorded."""
    probe_data = digits(8) if kind in ("sequential", "functional") else None
    callback = LayerHealth(folder, update_freq=3, histogram_freq=1, image_freq=1, probe_data=probe_data)
    if with_clocks:
        callback = clocked(callback, clock(0.0, 0.001), clock(1_800_000_000.0, 0.5))
    train(kind, [callback], epochs=1)
    (path,) = folder.glob("*tfevents*")
    return path.read_bytes()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_training_writes_the_same_bytes(kind: str, tmp_path: Path) -> None:
    files = [recorded(kind, tmp_path / side, with_clocks=True) for side in ("a", "b")]
    assert files[0] == files[1]


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_only_times_and_cost_depend_on_the_clock(kind: str, tmp_path: Path) -> None:
    first, second = (tmp_path / side for side in ("a", "b"))
    for folder in (first, second):
        recorded(kind, folder, with_clocks=False)
    assert timeless(first) == timeless(second)


def timeless(folder: Path) -> list[bytes]:
    """The events without wall times and without the record of the monitoring overhead."""
    (path,) = folder.glob("*tfevents*")
    events = []
    for content in records(path):
        event = Event.FromString(content)
        event.ClearField("wall_time")
        kept = [value for value in event.summary.value if value.tag != schema.COST]
        del event.summary.value[:]
        event.summary.value.extend(kept)
        events.append(event.SerializeToString())
    return events
