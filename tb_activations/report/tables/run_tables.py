"""The tables of a run: columns of equal length, by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.run import Run
from tb_activations.events.stock_tags import Scalars
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS
from tb_activations.records.finding import Finding

Table: TypeAlias = dict[str, NDArray[Any]]


def layers_table(run: Run) -> Table:
    """A row per observed step and layer: step, epoch (-1 if unknown), wall time, layer, and all its statistics."""
    return _long(run, "layer", run.layers, LAYER_COLUMNS, run.layer_table)


def weights_table(run: Run) -> Table:
    """A row per observed step and weight: step, epoch, wall time, weight, and all its statistics."""
    return _long(run, "weight", run.weights, WEIGHT_COLUMNS, run.weight_table)


def steps_table(run: Run) -> Table:
    """A row per observed step: step, epoch, wall time, loss, and the other totals."""
    totals = {name: run.step_table[:, column] for column, name in enumerate(STEP_COLUMNS) if name != "epoch"}
    return {"step": run.steps, "epoch": run.epochs, "wall_time": run.wall_times, **totals}


def findings_table(run: Run) -> Table:
    """A row per finding; units are a list separated by spaces, and -1 stands for a step that does not exist."""
    rows = [_flat(finding) for finding in run.findings]
    names = [field.name for field in dataclasses.fields(Finding)]
    return {name: np.array([row[name] for row in rows], None if rows else object) for name in names}


def scalars_table(scalars: Mapping[str, Scalars]) -> Table:
    """A row per point of the scalars of any writer: tag, step, wall time, value."""
    return {
        "tag": np.repeat(np.array(list(scalars), object), [len(one.steps) for one in scalars.values()]),
        "step": np.concatenate([np.empty(0, np.int64), *(one.steps for one in scalars.values())]),
        "wall_time": np.concatenate([np.empty(0), *(one.wall_times for one in scalars.values())]),
        "value": np.concatenate([np.empty(0), *(one.values for one in scalars.values())]),
    }


RUN_TABLES: Mapping[str, Callable[[Run], Table]] = {
    "layers": layers_table,
    "weights": weights_table,
    "steps": steps_table,
    "findings": findings_table,
}


def _long(run: Run, row: str, names: Sequence[str], columns: Sequence[str], values: NDArray[np.float32]) -> Table:
    steps, rows = len(run.steps), len(names)
    flat = values.reshape(steps * rows, len(columns))
    return {
        "step": np.repeat(run.steps, rows),
        "epoch": np.repeat(run.epochs, rows),
        "wall_time": np.repeat(run.wall_times, rows),
        row: np.tile(np.array(names, object), steps),
        **{name: flat[:, column] for column, name in enumerate(columns)},
    }


def _flat(finding: Finding) -> dict[str, Any]:
    members = {field.name: getattr(finding, field.name) for field in dataclasses.fields(finding)}
    members["severity"] = finding.severity.value
    members["units"] = " ".join(map(str, finding.units))
    members["root"] = finding.root or ""
    return {name: -1 if value is None else value for name, value in members.items()}
