"""Writes a run as a golden: a small event file without clock and host, and a summary for people."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event

from tb_activations.comparison.axis import Match, last_places
from tb_activations.events.encoding import Encoder
from tb_activations.events.record_file import framed
from tb_activations.events.run import Run
from tb_activations.golden.summary import golden_summary
from tb_activations.records.finding import Finding
from tb_activations.records.step_record import StepRecord
from tb_activations.records.thinning import shown

LARGEST = 100_000
"""Bytes of a golden at most: event file and summary. Only a network whose first and last step need more exceeds it."""
EVENT_FILE = "events.out.tfevents.golden"
SUMMARY = "summary.txt"
_FIRST = 4
"""Steps kept at the beginning of a run, where the first difference is looked for."""
_NO_UNITS = np.empty(0, np.float32)


def write_golden(run: Run, folder: Path, title: str, match: Match = "step") -> None:
    """Replaces the golden in `folder`.

    It has the run's description, statistics, outcomes and findings, without units, histograms and pictures. If there is
    no room for all observed steps, the first four and evenly spaced ones are kept.

    Args:
        title: of the summary.
        match: "epoch" keeps only the last observed step of each epoch.

    Raises:
        OSError: the folder cannot be written.
    """
    if match == "epoch":
        run = run.at(last_places(run.epochs))
    summary = golden_summary(run, title).encode()
    # Each candidate is encoded: how well tables compress is unknown before.
    for places in _selections(len(run.steps)):
        events = b"".join(map(framed, _events(run.at(places))))
        if len(events) + len(summary) <= LARGEST:
            break
    folder.mkdir(parents=True, exist_ok=True)
    (folder / EVENT_FILE).write_bytes(events)
    (folder / SUMMARY).write_bytes(summary)


def as_golden(golden: Run, run: Run, match: Match = "step") -> Run:
    """`run` without the steps (or epochs) that were left out of the golden; later ones are kept."""
    if not len(golden.steps):
        return run
    wanted, own = (one.steps if match == "step" else one.epochs for one in (golden, run))
    is_left_out = (own < wanted[-1]) & ~np.isin(own, wanted)
    return run.at(np.flatnonzero(~is_left_out))


def _selections(steps: int) -> Iterator[NDArray[np.int64]]:
    """Places of steps, fewer from one selection to the next; the last one has only the first and the last step."""
    count = steps
    while count > 2:
        first = np.arange(min(_FIRST, count))
        yield np.union1d(first, shown(steps, count))
        count = count * 3 // 4
    yield shown(steps, 2)


def _events(run: Run) -> Iterator[bytes]:
    encoder = Encoder()
    yield Event(file_version="brain.Event:2").SerializeToString()
    first = int(run.steps[0]) if len(run.steps) else 0
    yield Event(step=first, summary=encoder.run(run.spec)).SerializeToString()
    findings = [_without_words(finding) for finding in run.findings]
    for place, step in enumerate(run.steps.tolist()):
        record = StepRecord(
            step, run.layer_table[place], run.weight_table[place], run.step_table[place], _NO_UNITS, _NO_UNITS
        )
        is_last = place == len(run.steps) - 1
        summary = encoder.record(
            record,
            outcomes=run.outcomes[place],
            rules=run.rules,
            training=dict(zip(run.training_rules, run.training[place].tolist(), strict=True)),
            findings=findings if is_last else None,
        )
        yield Event(step=step, summary=summary).SerializeToString()


def _without_words(finding: Finding) -> Finding:
    """The finding without its texts, which are most of its size and are never compared."""
    return dataclasses.replace(finding, message="", might_be_wrong="", advice="", source="", follow_up="")
