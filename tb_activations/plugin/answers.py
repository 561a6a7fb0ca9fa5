"""What each route answers, as functions of a decoded run; `docs/http_api.md` is the contract."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.run import Run
from tb_activations.events.schema import SCHEMA_VERSION
from tb_activations.events.thinning import health, shown
from tb_activations.health.records import Finding, LayerSpec, Outcome, Severity
from tb_activations.health.rules import RULE_TITLES
from tb_activations.health.rules.consequences import WHY_IT_MATTERS
from tb_activations.health.statistics import LAYER_STATISTICS, STEP_STATISTICS
from tb_activations.health.verdict import verdict
from tb_activations.plugin.errors import UnknownError
from tb_activations.plugin.frames import Frame

HEALTH = "health"
_SEVERITIES = (Severity.NOTE, Severity.WARNING, Severity.PROBLEM)
_FINDING_OUTCOMES = {severity.value: severity for severity in _SEVERITIES}


def run_summary(run: Run, start_time: float | None) -> dict[str, Any]:
    """One entry of `runs`; a run without observed steps has zeros."""
    recorded = len(run.steps) > 0
    first_time = run.wall_times[0] if recorded else 0.0
    return {
        "name": run.name,
        "readable": True,
        "reason": "",
        "records": len(run.steps),
        "layers": len(run.layers),
        "first_step": int(run.steps[0]) if recorded else 0,
        "last_step": int(run.steps[-1]) if recorded else 0,
        "start_time": float(first_time if start_time is None else start_time),
        "last_time": float(run.wall_times[-1]) if recorded else 0.0,
        "severity": _worst([finding.severity for finding in run.findings if finding.closed_step is None]),
    }


def unreadable_summary(name: str, reason: str) -> dict[str, Any]:
    """One entry of `runs` for a run that cannot be read."""
    zeros = dict.fromkeys(("records", "layers", "first_step", "last_step", "start_time", "last_time"), 0)
    return {"name": name, "readable": False, "reason": reason, **zeros, "severity": None}


def layers(run: Run) -> dict[str, Any]:
    """The answer of `layers`."""
    last = run.last_outcomes
    return {
        "run": run.name,
        "model": run.spec.model,
        "schema_version": SCHEMA_VERSION,
        "layers": [_layer(layer, row) for layer, row in zip(run.spec.layers, last, strict=True)],
        "weights": [dataclasses.asdict(weight) for weight in run.spec.weights],
        "rules": [
            {"id": rule, "title": RULE_TITLES.get(rule, rule), "why": WHY_IT_MATTERS.get(rule, "")}
            for rule in run.rules
        ],
        "statistics": [dataclasses.asdict(statistic) for statistic in LAYER_STATISTICS],
        "step_statistics": [dataclasses.asdict(statistic) for statistic in STEP_STATISTICS],
        "thresholds": run.spec.thresholds,
        "cadence": run.spec.cadence,
        "versions": run.spec.versions,
        "cost": run.cost or None,
    }


def findings(run: Run) -> dict[str, Any]:
    """The answer of `findings`: the verdict, and all findings with the worst first."""
    position = {name: index for index, name in enumerate(run.layers)}

    def order(finding: Finding) -> tuple[bool, bool, int, int, int]:
        return (
            finding.closed_step is not None,
            finding.root is not None,
            -_SEVERITIES.index(finding.severity),
            position.get(finding.layer, len(position)),
            finding.opened_step,
        )

    return {
        "run": run.name,
        "verdict": dataclasses.asdict(verdict(run.spec, run.findings, run.last_outcomes, run.rules)),
        "findings": [{"id": finding.id, **dataclasses.asdict(finding)} for finding in sorted(run.findings, key=order)],
    }


def matrix(run: Run, stat: str, max_steps: int) -> Frame:
    """The answer of `matrix`; `stat` is "health" or one of `LAYER_COLUMNS`."""
    indices = shown(len(run.steps), max_steps, width=len(run.layers))
    data = health(run.outcomes, indices) if stat == HEALTH else run.stat(stat)[indices].T
    data = data.astype(np.float32)
    measured = data[np.isfinite(data)]
    header = {
        "run": run.name,
        "stat": stat,
        "layers": list(run.layers),
        **_step_axis(run, indices),
        "low": float(measured.min()) if measured.size else None,
        "high": float(measured.max()) if measured.size else None,
    }
    return Frame(header, data)


def series(run: Run, layer: str | None, stats: Sequence[str], max_steps: int) -> Frame:
    """The answer of `series`; `stats` are of `LAYER_COLUMNS`, or of `STEP_COLUMNS` without a layer.

    Raises:
        UnknownError: the run has no such layer.
    """
    indices = shown(len(run.steps), max_steps, width=len(stats))
    if layer is None:
        rows = [run.step_stat(stat)[indices] for stat in stats]
    else:
        position = _layer_position(run, layer)
        rows = [run.stat(stat)[indices, position] for stat in stats]
    header = {"run": run.name, "layer": layer, "stats": list(stats), **_step_axis(run, indices)}
    return Frame(header, np.stack(rows).astype(np.float32))


def units(run: Run, layer: str, max_steps: int) -> Frame:
    """The answer of `units`.

    Raises:
        UnknownError: the run has no such layer, or the layer's units are not tracked.
    """
    _layer_position(run, layer)
    activity, peaks = run.units(layer), run.unit_peaks(layer)
    if not activity.shape[1]:
        raise UnknownError(f"the units of layer {layer!r} are not tracked in run {run.name!r}")
    measured = ~np.isnan(activity).all(axis=1)
    steps, activity, peaks = run.steps[measured], activity[measured], peaks[measured]
    indices = shown(len(steps), max_steps, width=2 * activity.shape[1])
    header = {
        "run": run.name,
        "layer": layer,
        "steps": steps[indices].tolist(),
        "recorded_steps": len(steps),
        "lives": [dataclasses.asdict(life) for life in run.lives(layer)],
    }
    return Frame(header, np.stack([activity[indices], peaks[indices]]))


def histograms(run: Run, layer: str, kind: str, max_steps: int) -> Frame:
    """The answer of `histograms`; `kind` is one of `HISTOGRAM_KINDS`.

    Raises:
        UnknownError: the run has no such layer.
    """
    position = _layer_position(run, layer)
    steps, values = run.histograms(kind)
    indices = shown(len(steps), max_steps, width=values.shape[2])
    header = {
        "run": run.name,
        "layer": layer,
        "kind": kind,
        "steps": steps[indices].tolist(),
        "recorded_steps": len(steps),
    }
    return Frame(header, values[indices, position])


def _layer(layer: LayerSpec, outcomes: NDArray[np.uint8]) -> dict[str, Any]:
    words = [Outcome(outcome).name.lower() for outcome in outcomes]
    worst = _worst([_FINDING_OUTCOMES[word] for word in words if word in _FINDING_OUTCOMES])
    return {**dataclasses.asdict(layer), "severity": worst, "outcomes": words}


def _worst(severities: Sequence[Severity]) -> Severity | None:
    return max(severities, key=_SEVERITIES.index, default=None)


def _step_axis(run: Run, indices: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "steps": run.steps[indices].tolist(),
        "recorded_steps": len(run.steps),
        "wall_times": run.wall_times[indices].tolist(),
    }


def _layer_position(run: Run, layer: str) -> int:
    if layer not in run.layers:
        raise UnknownError(f"no layer {layer!r} in run {run.name!r}")
    return run.spec.layer_index(layer)
