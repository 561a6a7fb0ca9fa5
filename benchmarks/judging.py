"""Times the judgement of records of 1,000 layers with a finding in each: `python -m benchmarks.judging [LAYERS]`.

Prints, by kind of finding, the median time to judge a record, and where the time goes in the slowest one.
"""

from __future__ import annotations

import cProfile
import io
import pstats
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from tb_activations.health.diagnosis import Diagnosis
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS
from tb_activations.records.finding import WHOLE
from tb_activations.records.specs import LayerSpec, RunSpec, WeightSpec
from tb_activations.records.step_record import StepRecord

LAYERS, UNITS, BATCH = 1000, 16, 100
RECORDS = 60
WARM = 40
"""Records before the timing begins: by then every finding is open and the window is full."""

GOAL = 0.020
"""Seconds."""

HEALTHY = {
    "elements": BATCH * UNITS,
    "mean": 0.5,
    "std": 1.0,
    "max": 3.0,
    "gradient_norm": 0.1,
    "gradient_mean_abs": 0.01,
    "weight_gradient_norm": 0.1,
    "weight_gradient_mean_abs": 0.01,
    "weight_norm": 5.0,
    "update_ratio": 1e-3,
    "sample_std": 1.0,
    "unit_std": 0.5,
    "input_rms": 1.0,
}

Values = Mapping[str, float]

SICK: Mapping[str, tuple[str, Values]] = {
    "healthy": ("relu", {}),
    "dead units": ("relu", {"dead": 0.6}),
    "dead layers": ("relu", {"dead": 1.0}),
    "saturated units": ("tanh", {"saturated_fraction": 0.9}),
    "dormant units": ("gelu", {"dormant": 0.6}),
    "thrashing weights": ("tanh", {"update_ratio": 0.5}),
    "stuck weights": ("tanh", {"update_ratio": 1e-8}),
    "no gradient": ("tanh", {"weight_gradient_norm": 0.0}),
    "vanishing gradient": ("tanh", {"weight_gradient_norm": 1e-8}),
    "exploding gradient": (
        "tanh",
        {"weight_gradient_norm": 90.0, "weight_gradient_mean_abs": 4.0, "gradient_norm": 1e-4},
    ),
    "collapsed layers": ("tanh", {"sample_std": 1e-5}),
    "poor initialization": ("tanh", {"weight_norm": 77.0}),
    "NaN": ("tanh", {"weight_nonfinite": 3.0}),
}
"""By name the activation of the layers, and what differs from a healthy layer."""


def description(layers: int, activation: str) -> RunSpec:
    """A chain of dense layers with a kernel each."""
    rows = [
        LayerSpec(f"dense_{n}", "Dense", 0, (None, UNITS), "float32", UNITS, activation, 1056, trainable=True)
        for n in range(layers)
    ]
    weights = [WeightSpec(f"{row.name}/kernel", row.name, (UNITS, UNITS)) for row in rows]
    return RunSpec("chain", tuple(rows), tuple(weights))


def records(spec: RunSpec, sick: Values, count: int = RECORDS) -> Iterator[StepRecord]:
    """Records in which all layers have these values, which differ a little from step to step and layer to layer."""
    random = np.random.default_rng(0)
    values = {column: 0.0 for column in LAYER_COLUMNS} | {"saturated_fraction": np.nan} | HEALTHY | dict(sick)
    plain = np.array([values[column] for column in LAYER_COLUMNS], np.float32)
    totals = {"loss": 1.0, "learning_rate": 1e-3, "samples": BATCH, "loss_scale": 1.0, "input_rms": 1.0}
    totals |= {"loss_nonfinite": 0.0}
    own = {"gradient_norm": "weight_gradient_norm", "weight_norm": "weight_norm", "update_ratio": "update_ratio"}
    fixed = ["elements", "nonfinite", "weight_nonfinite", "weight_gradient_nonfinite", "weight_norm"]
    for step in range(count):
        noise = 1 + 0.01 * random.standard_normal((len(spec.layers), len(LAYER_COLUMNS)))
        noise[:, [LAYER_COLUMNS.index(name) for name in fixed]] = 1
        table = (plain * noise).astype(np.float32)
        weights = np.full((len(spec.weights), len(WEIGHT_COLUMNS)), np.nan, np.float32)
        for column, source in own.items():
            weights[:, WEIGHT_COLUMNS.index(column)] = table[:, LAYER_COLUMNS.index(source)]
        activity = np.full((len(spec.layers), UNITS), 0.5, np.float32)
        activity[:, : int(UNITS * sick.get("dead", 0))] = 0
        peaks = np.full((len(spec.layers), UNITS), 2.0, np.float32)
        peaks[:, : int(UNITS * sick.get("dormant", 0))] = 0.01
        peaks[:, : int(UNITS * sick.get("dead", 0))] = 0
        numbers = {**totals, "loss": 1.0 + 0.01 * random.standard_normal()}
        step_values = np.array([numbers.get(column, np.nan) for column in STEP_COLUMNS], np.float32)
        yield StepRecord(3 * step, table, weights, step_values, activity.ravel(), peaks.ravel())


def times(spec: RunSpec, entries: Sequence[StepRecord]) -> tuple[float, float, int]:
    """Median seconds to judge a record after the warm ones, and to judge it and read its findings; layers with one."""
    diagnosis = Diagnosis(spec)
    judging, reading = [], []
    for place, entry in enumerate(entries):
        began = time.process_time()
        judgement = diagnosis.judge(entry)
        judged = time.process_time()
        found = {finding.layer for finding in judgement.findings if finding.closed_step is None} - {WHOLE}
        if place >= WARM:
            judging.append(judged - began)
            reading.append(time.process_time() - began)
    return statistics.median(judging), statistics.median(reading), len(found)


def profile(spec: RunSpec, entries: Sequence[StepRecord]) -> str:
    """The functions that take most of the time."""
    diagnosis, profiler = Diagnosis(spec), cProfile.Profile()
    for place, entry in enumerate(entries):
        if place == WARM:
            profiler.enable()
        diagnosis.judge(entry)
    profiler.disable()
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).strip_dirs().sort_stats("cumulative").print_stats(25)
    return text.getvalue()


def main(arguments: Sequence[str]) -> int:
    """Exit status 0 if every median is within the goal."""
    layers, console = int(arguments[0]) if arguments else LAYERS, Console()
    table = Table("layers with", "layers with a finding", "median ms to judge", "with all findings read")
    medians = {}
    for name, (activation, sick) in SICK.items():
        spec = description(layers, activation)
        entries = list(records(spec, sick))
        medians[name], reading, found = times(spec, entries)
        table.add_row(name, str(found), f"{1e3 * medians[name]:.1f}", f"{1e3 * reading:.1f}")
    console.print(table)
    slowest = max(medians, key=lambda name: medians[name])
    activation, sick = SICK[slowest]
    spec = description(layers, activation)
    console.print(f"{RECORDS - WARM} records of the slowest, {slowest}:")
    console.print(profile(spec, list(records(spec, sick))), markup=False)
    return 0 if max(medians.values()) <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
