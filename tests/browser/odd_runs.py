"""Runs that are easily misread: NaN in a layer, a layer that no rule judges, values once an epoch, two causes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event

from tb_activations.events.encoding import Encoder
from tb_activations.events.reader import load
from tb_activations.pictures.kinds import feature_maps
from tb_activations.recording.stock import image
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS
from tb_activations.records.epoch_metrics import EpochMetrics
from tb_activations.records.finding import Outcome
from tests.synthetic import RULES, START_TIME, Plan, write_events, write_run

PLAN = Plan(layers=10, steps=40, units=8, sick=False, stock=False, interval=1)
NAN, DEAD, FROZEN = "dense_1", "dense_2", "dense_0"
"""A layer whose values are NaN, one without a gradient, and one that no rule judges and that is not trained."""
JUDGED = 5
"""Layers after the first one that rules judge."""
EPOCH = 10
RARE = "reconstruction_error"


def write_odd(folder: Path, scratch: Path) -> None:
    """Writes the run "odd" into `folder`, made of one in `scratch`."""
    write_run(scratch, name="plain", plan=PLAN)
    plain = load(scratch, "plain")
    layers = tuple(
        dataclasses.replace(layer, trainable=layer.name != FROZEN, class_name="Dense") for layer in plain.spec.layers
    )
    weights = tuple(weight for weight in plain.spec.weights if weight.layer != FROZEN)
    spec = dataclasses.replace(plain.spec, layers=layers, weights=weights)
    outcomes = np.zeros((PLAN.layers, len(RULES)), np.uint8)
    outcomes[0] = outcomes[JUDGED + 1 :] = Outcome.NOT_APPLICABLE
    nan, dead = (spec.layer_index(name) for name in (NAN, DEAD))
    encoder = Encoder()
    events = [Event(wall_time=START_TIME, summary=encoder.run(spec))]
    for index, record in enumerate(plain.records()):
        table, totals = record.layers.copy(), record.totals.copy()
        for column in ("gradient_norm", "weight_gradient_norm"):
            table[[nan, dead], LAYER_COLUMNS.index(column)] = 0
        for column in ("nonfinite", "gradient_nonfinite", "weight_gradient_nonfinite"):
            table[nan, LAYER_COLUMNS.index(column)] = table[nan, LAYER_COLUMNS.index("elements")]
        is_end = (index + 1) % EPOCH == 0
        totals[STEP_COLUMNS.index(RARE)] = 1 / (index + 1) if is_end else np.nan
        changed = dataclasses.replace(record, layers=table, weights=record.weights[1:], totals=totals)
        summary = encoder.record(changed, outcomes=outcomes, rules=RULES, findings=[])
        if is_end:
            maps = feature_maps(np.zeros((1, 4, 4, 1), np.float32))
            for tag in (f"units/{NAN}", "reconstruction/output"):
                encoder.add(summary, [image(tag, maps.png, maps.width, maps.height, "")])
        time = START_TIME + index + 1
        events.append(Event(wall_time=time, step=record.step, summary=summary))
        if is_end:
            metrics = EpochMetrics(record.step, index // EPOCH, {"loss": 1 / (index + 1), "val_loss": 2 / (index + 1)})
            events.append(Event(wall_time=time, step=record.step, summary=encoder.epoch(metrics)))
    write_events(folder / "odd", events)


FIRST_CAUSE, LATER_CAUSE = "dense_4", "dense_2"
LATER = 900
"""The step since which `LATER_CAUSE` is dead in a run with two causes."""


def write_two_causes(folder: Path, scratch: Path) -> None:
    """Writes the run "two_causes" into `folder`: a cause with consequences, and a later one in an earlier layer."""
    plan = Plan(stock=False)
    write_run(scratch, name="one", plan=plan)
    one = load(scratch, "one")
    (cause,) = (finding for finding in one.findings if finding.root is None)
    first = dataclasses.replace(cause, layer=FIRST_CAUSE)
    later = dataclasses.replace(cause, layer=LATER_CAUSE, since_step=LATER, opened_step=LATER)
    first_row, later_row = (one.spec.layer_index(name) for name in (FIRST_CAUSE, LATER_CAUSE))
    consequences = [dataclasses.replace(finding, root=first.id) for finding in one.findings if finding.root is not None]
    encoder = Encoder()
    events = [Event(wall_time=START_TIME, summary=encoder.run(one.spec))]
    for index, record in enumerate(one.records()):
        outcomes = one.outcomes[index].copy()
        outcomes[first_row] = outcomes[later_row]
        if record.step < LATER:
            outcomes[later_row] = Outcome.OK
        findings = [first, *consequences, later] if index == plan.steps - 1 else None
        summary = encoder.record(record, outcomes=outcomes, rules=RULES, findings=findings)
        events.append(Event(wall_time=START_TIME + index + 1, step=record.step, summary=summary))
    write_events(folder / "two_causes", events)
