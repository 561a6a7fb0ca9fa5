"""A synthetic run that the real rules judged, so that other thresholds judge it differently."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event

from tb_activations.events.encoding import Encoder
from tb_activations.events.reader import load
from tb_activations.health.diagnosis import Diagnosis
from tb_activations.health.rules import configure
from tb_activations.records.columns import STEP_COLUMNS
from tests.synthetic import START_TIME, Plan, write_events, write_run

PLAN = Plan(layers=4, steps=40, units=20, sick=False, stock=False)
LAYER = "dense_2"
DEAD = 12
"""Units of `LAYER` that are dead from the tenth observed step on: 60%, a warning by default."""


def write_judged_run(log_dir: Path, name: str = "train", start_time: float = START_TIME) -> Path:
    """Writes the run and gives the path of its event file."""
    with tempfile.TemporaryDirectory() as folder:
        write_run(folder, name="healthy", plan=PLAN)
        healthy = load(folder, "healthy")
    diagnosis = Diagnosis(healthy.spec, configure(["dead_units", "dormant_units", "nonfinite", "loss_spike"]))
    spec = dataclasses.replace(healthy.spec, thresholds=diagnosis.thresholds)
    encoder = Encoder()
    events = [Event(wall_time=start_time, summary=encoder.run(spec))]
    dead = np.zeros(spec.unit_count, bool)
    dead[spec.unit_slice(spec.layer_index(LAYER))][:DEAD] = True
    for index, record in enumerate(healthy.records()):
        # A network that learns can spare these units.
        totals = record.totals.copy()
        totals[STEP_COLUMNS.index("loss")] = 2.0 - 0.01 * index
        record = dataclasses.replace(record, totals=totals)
        if index >= 10:
            record = dataclasses.replace(
                record,
                unit_activity=np.where(dead, 0, record.unit_activity).astype(np.float32),
                unit_peak=np.where(dead, 0, record.unit_peak).astype(np.float32),
            )
        judgement = diagnosis.judge(record)
        summary = encoder.record(
            record,
            outcomes=judgement.outcomes,
            rules=diagnosis.rules,
            training=dict(zip(diagnosis.training_rules, judgement.training.tolist(), strict=True)),
            findings=judgement.findings,
        )
        events.append(Event(wall_time=start_time + index + 1, step=record.step, summary=summary))
    return write_events(log_dir / name, events, start_time)
