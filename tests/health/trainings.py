"""Synthetic trainings as records: a chain of layers whose values a test sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tb_activations.health.diagnosis import Diagnosis, Judgement
from tb_activations.health.rules import RuleChoice, configure
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS
from tb_activations.records.finding import Finding, Outcome
from tb_activations.records.specs import LayerSpec, RunSpec
from tb_activations.records.step_record import StepRecord

BATCH = 100
HEALTHY = {
    **dict.fromkeys(LAYER_COLUMNS, float("nan")),
    "mean": 0.5,
    "std": 1.0,
    "min": 0.0,
    "max": 3.0,
    "zero_fraction": 0.5,
    "nonfinite": 0.0,
    "silent_fraction": 0.0,
    "gradient_norm": 0.1,
    "gradient_mean_abs": 0.01,
    "gradient_nonfinite": 0.0,
    "weight_gradient_norm": 0.1,
    "weight_gradient_mean_abs": 0.01,
    "weight_gradient_nonfinite": 0.0,
    "weight_norm": 5.0,
    "weight_nonfinite": 0.0,
    "update_ratio": 1e-3,
    "sample_std": 1.0,
    "unit_std": 0.5,
    "input_rms": 1.0,
}


def chain(*names: str, units: int = 10, activation: str | None = "relu") -> RunSpec:
    """Dense layers in a row; the last is a linear head."""
    hidden = [
        LayerSpec(
            name,
            "Dense",
            output_shape=(None, units),
            units=units,
            activation=activation,
            parameters=100,
            trainable=True,
        )
        for name in names[:-1]
    ]
    head = LayerSpec(
        names[-1], "Dense", output_shape=(None, units), units=units, activation="linear", parameters=100, trainable=True
    )
    return RunSpec("made_up", (*hidden, head))


def record(
    spec: RunSpec,
    step: int,
    *,
    values: Mapping[str, Mapping[str, float]] | None = None,
    silent: Mapping[str, ArrayLike] | None = None,
    loss: float = 1.0,
    loss_scale: float = 1.0,
    batch: int = BATCH,
    totals: Mapping[str, float] | None = None,
) -> StepRecord:
    """A healthy record except for `values` (layer to column to value), `silent` (layer to units) and `totals`."""
    layers = np.full((len(spec.layers), len(LAYER_COLUMNS)), np.nan, np.float32)
    activity = np.full(spec.unit_count, 0.5, np.float32)
    for row, layer in enumerate(spec.layers):
        own = {**HEALTHY, "elements": batch * layer.units, **(values or {}).get(layer.name, {})}
        layers[row] = [own[column] for column in LAYER_COLUMNS]
        if silent and layer.name in silent:
            activity[spec.unit_slice(row)][np.asarray(silent[layer.name], int)] = 0
    step_values = {"loss": loss, "learning_rate": 1e-3, "epoch": 0, "samples": batch, "loss_scale": loss_scale}
    step_values |= {"input_rms": 1.0, "loss_nonfinite": float(not np.isfinite(loss)), **(totals or {})}
    return StepRecord(
        step=step,
        layers=layers,
        weights=np.zeros((0, len(WEIGHT_COLUMNS)), np.float32),
        totals=np.array([step_values.get(column, np.nan) for column in STEP_COLUMNS], np.float32),
        unit_activity=activity,
        unit_peak=activity * 2,
    )


def judge(spec: RunSpec, records: Sequence[StepRecord], rules: RuleChoice = None) -> list[Judgement]:
    """The judgement after each record."""
    diagnosis = Diagnosis(spec, configure(rules))
    return [diagnosis.judge(entry) for entry in records]


def still_open(judgement: Judgement) -> list[Finding]:
    return [finding for finding in judgement.findings if finding.closed_step is None]


def outcome(spec: RunSpec, judgement: Judgement, layer: str, rule: int) -> int:
    return int(judgement.outcomes[spec.layer_index(layer), rule])


def replaced(spec: RunSpec, layer: str, **changes: object) -> RunSpec:
    """The run with a changed description of one layer."""
    layers = tuple(
        dataclasses.replace(entry, **changes) if entry.name == layer else entry  # type: ignore[arg-type]
        for entry in spec.layers
    )
    return dataclasses.replace(spec, layers=layers)


def equal(first: Judgement, second: Judgement) -> bool:
    return (
        bool(np.array_equal(first.outcomes, second.outcomes))
        and bool(np.array_equal(first.training, second.training))
        and first.findings == second.findings
        and first.changes == second.changes
    )


def random_records(spec: RunSpec, steps: int, random: np.random.Generator) -> list[StepRecord]:
    """Records in which layers get sick and recover at random."""
    records = []
    sick: NDArray[np.bool_] = np.zeros(spec.unit_count, bool)
    for step in range(steps):
        sick ^= random.random(spec.unit_count) < 0.05
        gradient = float(10.0 ** random.uniform(-8, 0))
        values = {spec.layers[0].name: {"weight_gradient_norm": gradient, "nonfinite": float(random.random() < 0.05)}}
        plain = record(spec, step * 3, values=values, loss=float(random.random()) + 0.1)
        records.append(dataclasses.replace(plain, unit_activity=np.where(sick, 0, plain.unit_activity)))
    return records


def replay(spec: RunSpec, records: Iterable[StepRecord], rules: RuleChoice = None) -> Judgement:
    """Judges a stored run again, with rules as `configure` takes them; no record leaves every outcome undecided."""
    diagnosis = Diagnosis(spec, configure(rules))
    undecided = np.full((len(spec.layers), len(diagnosis.rules)), Outcome.INSUFFICIENT_DATA, np.uint8)
    waiting = np.full(len(diagnosis.training_rules), Outcome.INSUFFICIENT_DATA, np.uint8)
    judgement = Judgement(undecided, waiting, tuple, ())
    for record in records:
        judgement = diagnosis.judge(record)
    return judgement
