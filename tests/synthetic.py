"""Believable runs without a training: `python -m tests.synthetic DIR` writes a folder of them.

Everything but the numbers is real: the records pass through the package's own encoder into event files. The same
arguments give the same bytes.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.events import schema
from tb_activations.events.encoding import Encoder
from tb_activations.events.record_file import framed
from tb_activations.events.states import StoredState
from tb_activations.events.unit_coding import quantize_activity, quantize_peak, restore_activity, restore_peak
from tb_activations.recording.stock import gradient_scalars
from tb_activations.recording.stock import histograms as stock_histograms
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS
from tb_activations.records.epoch_metrics import EpochMetrics
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import LayerSpec, RunSpec, WeightSpec
from tb_activations.records.step_record import StepRecord
from tests.synthetic_parts import histograms_of, model_pictures, nested_place, sequences_of

START_TIME = 1_795_219_200.0
RULES = ("dead_units", "vanishing_gradient", "nonfinite")
HOSTILE_NAMES = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "../../etc/passwd",
    "layer name with spaces & = ? # %",
    "Ünïcødé-層-🧠",
    "javascript:alert(1)",
    '"quoted" and \\backslashed\\',
    "{{constructor.constructor('alert(1)')()}}",
)
HISTOGRAM_EVERY = 10


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a synthetic run holds.

    Attributes:
        layers: rows of the layer table, at least 4.
        steps: observed steps, at least 1.
        units: of each layer with tracked units.
        interval: training steps from one observed step to the next.
        sick: whether the units of the third layer die and the layers before it starve.
        hostile: whether the layers are called what an attacker would call them.
        nested: whether layers are in nested models, on branches, and one of them is called twice.
        pictures: whether pictures of the first layer and of the model are written, with the histograms.
        recurrent: whether the first layer is the cell of the second one, with sequences of 80 time steps.
        stock: whether TensorBoard's own formats are written too.
        epoch: observed steps of an epoch, after which metrics are written; 0 for a training without epochs.
        ends: whether the run tells that its training ended with its last step.
        start_step: the first observed step.
        start_time: seconds since the epoch of the first event.
    """

    layers: int = 8
    steps: int = 120
    units: int = 16
    interval: int = 10
    sick: bool = True
    hostile: bool = False
    nested: bool = False
    pictures: bool = False
    recurrent: bool = False
    stock: bool = True
    epoch: int = 0
    ends: bool = False
    start_step: int = 0
    start_time: float = START_TIME

    @property
    def sick_layer(self) -> int:
        return 2

    @property
    def death(self) -> int:
        """Index of the observed step from which on the third layer is dead."""
        return max(1, self.steps * 3 // 10)

    def step(self, index: int) -> int:
        return self.start_step + index * self.interval


def write_run(
    log_dir: str | Path, *, seed: int = 0, name: str = "", plan: Plan | None = None, **changes: object
) -> Path:
    """Write one run and give the path of its event file.

    Args:
        log_dir: the log directory.
        seed: of the numbers.
        name: the run's folder below `log_dir`; "" writes into `log_dir` itself.
        plan: of the run.
        **changes: fields of `Plan` to change, such as `layers=200`.
    """
    plan = dataclasses.replace(plan or Plan(), **changes)  # type: ignore[arg-type]
    spec = run_spec(plan)
    encoder = Encoder()
    events = [Event(wall_time=plan.start_time, step=plan.start_step, summary=encoder.run(spec))]
    for index, (record, histograms) in enumerate(_records(plan, spec, np.random.default_rng(seed))):
        summary = encoder.record(
            record,
            outcomes=_outcomes(plan, index),
            rules=RULES,
            findings=_findings(plan, spec, index),
            histograms=histograms,
            sequences=sequences_of(plan.layers, index / plan.steps)
            if plan.recurrent and histograms is not None
            else None,
            cost=np.array([0.013, 0.04, plan.interval, 3.5], np.float32),
        )
        if plan.stock:
            encoder.add(summary, gradient_scalars(spec, record))
        if plan.stock and histograms is not None:
            encoder.add(summary, stock_histograms(spec, histograms))
        if plan.pictures and histograms is not None:
            encoder.add(summary, model_pictures(spec.layers[0].name, index))
        now = plan.start_time + 0.5 * (index + 1)
        events.append(Event(wall_time=now, step=record.step, summary=summary))
        if plan.epoch and (index + 1) % plan.epoch == 0:
            events.append(Event(wall_time=now, step=record.step, summary=encoder.epoch(_metrics(plan, record, index))))
    if plan.ends:
        last = events[-1]
        end = StoredState(last.step + 1, last.step + 1, "", 0, "", np.zeros(0, np.float32), is_end=True)
        events.append(Event(wall_time=last.wall_time, step=last.step, summary=encoder.state(end)))
    return write_events(Path(log_dir) / name, events, plan.start_time)


def write_events(folder: Path, events: Sequence[Event], start_time: float = START_TIME) -> Path:
    """Write an event file named after `start_time` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events.out.tfevents.{int(start_time)}.synthetic.1.0"
    version = Event(wall_time=start_time, file_version="brain.Event:2")
    # TensorBoard's own writer computes checksums in Python, which would take a quarter of the time of a run.
    path.write_bytes(b"".join(framed(event.SerializeToString()) for event in (version, *events)))
    return path


def _metrics(plan: Plan, record: StepRecord, index: int) -> EpochMetrics:
    loss = float(record.total("loss"))
    metrics = {"loss": loss, "accuracy": 1 / (1 + loss), "val_loss": 1.2 * loss, "val_accuracy": 1 / (1 + 1.2 * loss)}
    return EpochMetrics(record.step, index // plan.epoch, metrics)


def run_spec(plan: Plan) -> RunSpec:
    """The description of the run that `plan` gives."""
    layers = tuple(_layer(plan, index) for index in range(plan.layers))
    return RunSpec(
        model="synthetic",
        layers=layers,
        weights=tuple(
            WeightSpec(f"{layer.name}/kernel", layer.name, (plan.units, plan.units))
            for layer in layers
            if layer.trainable
        ),
        thresholds={rule: {"share": 0.5} for rule in RULES},
        cadence={"update_freq": plan.interval},
        versions={"tb_activations": "0.0.0"},
    )


def _layer(plan: Plan, index: int) -> LayerSpec:
    last = index == plan.layers - 1
    normalization = index % 4 == 3 and not last
    kind = "batch_normalization" if normalization else "head" if last else "dense"
    name = HOSTILE_NAMES[index % len(HOSTILE_NAMES)] + f" {index}" if plan.hostile else f"{kind}_{index}"
    call_site = 0
    inputs: tuple[str, ...] = ()
    if plan.nested:
        name, call_site, inputs = nested_place(plan.layers, index)
    return LayerSpec(
        call_site=call_site,
        inputs=inputs,
        part_of="dense_1" if plan.recurrent and index == 0 else "",
        name=name,
        class_name="BatchNormalization" if normalization else "Dense",
        output_shape=(None, plan.units),
        units=0 if normalization else plan.units,
        activation=None if normalization else "softmax" if last else "relu",
        parameters=4 * plan.units if normalization else plan.units * (plan.units + 1),
        trainable=True,
    )


def _records(
    plan: Plan, spec: RunSpec, random: np.random.Generator
) -> Iterator[tuple[StepRecord, NDArray[np.float32] | None]]:
    base_activity = random.uniform(0.2, 0.8, spec.unit_count)
    for index in range(plan.steps):
        alive = _alive(plan, spec, index)
        activity = np.clip(base_activity + random.normal(0, 0.02, spec.unit_count), 0.01, 1) * alive
        peak = np.abs(random.normal(2, 0.3, spec.unit_count)) * alive
        record = StepRecord(
            step=plan.step(index),
            layers=_layer_table(plan, spec, index, activity, random),
            weights=_weight_table(plan, index, random),
            totals=_totals(plan, index, random),
            unit_activity=restore_activity(quantize_activity(activity)),
            unit_peak=restore_peak(quantize_peak(peak)),
        )
        yield record, histograms_of(plan.layers, random) if index % HISTOGRAM_EVERY == 0 else None


def _alive(plan: Plan, spec: RunSpec, index: int) -> NDArray[np.float64]:
    """`[units]`: 0 for a dead unit, else 1. The units of the sick layer die one after the other, and stay dead."""
    alive = np.ones(spec.unit_count)
    if plan.sick:
        dying = alive[spec.unit_slice(plan.sick_layer)]
        dying[: int(plan.units * min(1.0, index / plan.death))] = 0
    return alive


def _layer_table(
    plan: Plan, spec: RunSpec, index: int, activity: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.float32]:
    table = {column: np.full(plan.layers, np.nan) for column in LAYER_COLUMNS}
    noise = np.exp(random.normal(0, 0.1, plan.layers))
    depth = np.arange(plan.layers) / plan.layers
    starved = (np.arange(plan.layers) <= plan.sick_layer) & plan.sick & (index >= plan.death)
    gradient = np.where(starved, 0.0, 0.05 * 10 ** (depth - 1) * np.exp(-index / plan.steps) * noise)
    zero = np.zeros(plan.layers)
    if plan.units:
        has_units = [layer.units > 0 for layer in spec.layers]
        shares = activity.reshape(-1, plan.units)
        table["zero_fraction"][has_units] = 1 - shares.mean(axis=1)
        table["silent_fraction"][has_units] = np.mean(shares == 0, axis=1)
    table |= {
        "elements": zero + 32 * plan.units,
        "mean": 0.4 * noise,
        "std": 0.8 * noise,
        "min": zero,
        "max": 3 * noise,
        "nonfinite": zero,
        "gradient_norm": gradient,
        "gradient_mean_abs": gradient / 100,
        "gradient_nonfinite": zero,
        "weight_gradient_norm": gradient * 3,
        "weight_gradient_mean_abs": gradient / 50,
        "weight_gradient_nonfinite": zero,
        "weight_norm": 4 + depth,
        "weight_nonfinite": zero,
        "update_ratio": gradient / 50,
    }
    return np.stack([table[column] for column in LAYER_COLUMNS], axis=1).astype(np.float32)


_FIRST_WEIGHT_COLUMNS = 6


def _weight_table(plan: Plan, index: int, random: np.random.Generator) -> NDArray[np.float32]:
    # The columns of the first version, so that its golden files stay what is written now; later ones are not measured.
    table = np.full((plan.layers, len(WEIGHT_COLUMNS)), np.nan, np.float32)
    table[:, :_FIRST_WEIGHT_COLUMNS] = random.uniform(0.01, 0.1, (plan.layers, _FIRST_WEIGHT_COLUMNS))
    starved = plan.sick and index >= plan.death
    table[: plan.sick_layer + 1 if starved else 0, WEIGHT_COLUMNS.index("gradient_norm")] = 0
    for column in ("gradient_nonfinite", "weight_nonfinite"):
        table[:, WEIGHT_COLUMNS.index(column)] = 0
    return table


def _totals(plan: Plan, index: int, random: np.random.Generator) -> NDArray[np.float32]:
    floor = 1.6 if plan.sick else 0.1
    totals = {
        "loss": floor + (2.3 - floor) * np.exp(-3 * index / plan.steps) + random.normal(0, 0.02),
        "learning_rate": 1e-3,
        "epoch": index * 5 // plan.steps,
        "samples": 32,
        "loss_scale": np.nan,
        "reconstruction_error": np.nan,
    }
    return np.array([totals.get(column, np.nan) for column in STEP_COLUMNS], np.float32)


def _outcomes(plan: Plan, index: int) -> NDArray[np.uint8]:
    outcomes = np.full((plan.layers, len(RULES)), Outcome.OK, np.uint8)
    outcomes[3::4, 0] = Outcome.NOT_APPLICABLE
    outcomes[-1, :2] = Outcome.NOT_APPLICABLE
    if index < 3:
        outcomes[:, :2] = Outcome.INSUFFICIENT_DATA
    if plan.sick and index >= plan.death:
        outcomes[plan.sick_layer, 0] = Outcome.PROBLEM
        outcomes[: plan.sick_layer, 1] = Outcome.WARNING
    return outcomes


def _findings(plan: Plan, spec: RunSpec, index: int) -> list[Finding] | None:
    """All findings where they are written: when they open and at the end."""
    if index not in (0, plan.death, plan.steps - 1):
        return None
    if not plan.sick or index < plan.death:
        return []
    opened, last = plan.step(plan.death), plan.step(index)
    name = spec.layers[plan.sick_layer].name
    root = Finding(
        rule="dead_units",
        layer=name,
        severity=Severity.PROBLEM,
        sign="dead_share",
        unit="share",
        value=1.0,
        threshold=0.5,
        samples=32 * (index - plan.death + 1),
        checks=index - plan.death + 1,
        since_step=opened,
        opened_step=opened,
        last_step=last,
        message=f"{name}: {plan.units} of {plan.units} units were active on no sample since step {opened}.",
        might_be_wrong="The units may answer to inputs that these batches do not hold.",
        advice="Lower the learning rate, or use leaky_relu in this layer.",
        source="synthetic",
        units=tuple(range(min(plan.units, 1000))),
        unit_count=plan.units,
    )
    return [root, *(_starved(root, layer.name) for layer in spec.layers[: plan.sick_layer])]


def _starved(root: Finding, layer: str) -> Finding:
    return dataclasses.replace(
        root,
        rule="vanishing_gradient",
        layer=layer,
        severity=Severity.WARNING,
        sign="elasticity",
        unit="",
        value=0.0,
        threshold=1e-4,
        message=f"{layer}: no gradient arrives since step {root.since_step}.",
        might_be_wrong="The loss may already be as low as it gets.",
        advice=f"It follows from {root.layer}: begin there.",
        units=(),
        unit_count=0,
        root=root.id,
    )


def write_newer_schema(log_dir: str | Path, name: str) -> Path:
    """A run whose tags claim schema version 99."""
    spec = run_spec(Plan())
    summary = Encoder().run(spec)
    content = summary.value[0].metadata.plugin_data.content
    summary.value[0].metadata.plugin_data.content = content.replace(
        b'"schema": %d' % schema.SCHEMA_VERSION, b'"schema": 99'
    )
    return write_events(Path(log_dir) / name, [Event(wall_time=START_TIME, summary=summary)])


def write_unreadable(log_dir: str | Path, name: str) -> Path:
    """A run whose description is no JSON."""
    summary: Summary = Encoder().run(run_spec(Plan()))
    summary.value[0].tensor.string_val[0] = b"not JSON"
    return write_events(Path(log_dir) / name, [Event(wall_time=START_TIME, summary=summary)])


def write_damaged_layers(log_dir: str | Path, name: str) -> Path:
    """A run whose overview can be read, but whose table of layers has fewer bytes than its shape claims."""
    plan = Plan(layers=4, steps=2)
    spec = run_spec(plan)
    encoder = Encoder()
    events = [Event(wall_time=START_TIME, summary=encoder.run(spec))]
    for record, _ in _records(plan, spec, np.random.default_rng(0)):
        summary = encoder.record(record, outcomes=_outcomes(plan, 0), rules=RULES, findings=[])
        for value in summary.value:
            if value.tag == schema.LAYERS:
                value.tensor.tensor_content = value.tensor.tensor_content[:3]
        events.append(Event(wall_time=START_TIME + 1, step=record.step, summary=summary))
    return write_events(Path(log_dir) / name, events)


def write_logdir(log_dir: str | Path) -> None:
    """The runs a person or a browser test looks at: sick, healthy, hostile, single step, many layers, nested,
    unreadable."""
    write_run(log_dir, name="relu_dies", start_time=START_TIME + 60, epoch=30)
    write_run(log_dir, name="healthy", sick=False, seed=1, epoch=30)
    write_run(log_dir, name="hostile <b>names</b>", hostile=True, seed=2, start_time=START_TIME + 120)
    write_run(log_dir, name="single_step", steps=1, sick=False, seed=3, start_time=START_TIME + 180)
    write_run(
        log_dir, name="many_layers", layers=200, steps=1000, units=4, stock=False, seed=4, start_time=START_TIME + 240
    )
    write_run(log_dir, name="nested", layers=14, nested=True, pictures=True, seed=5, start_time=START_TIME - 60)
    write_newer_schema(log_dir, "newer_schema")
    write_unreadable(log_dir, "unreadable")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.synthetic DIR")
    write_logdir(sys.argv[1])
