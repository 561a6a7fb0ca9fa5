"""The answer of each route as a function of a decoded run; `docs/http_api.md` is the contract."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.run import Run
from tb_activations.events.schema import SCHEMA_VERSION
from tb_activations.events.sequences import Sequences
from tb_activations.events.unit_coding import NOT_MEASURED, restore_activity, restore_peak
from tb_activations.health.roots import worst_first
from tb_activations.health.rules import RULES, title_of
from tb_activations.health.sliders import Slider, sliders
from tb_activations.health.verdict import verdict
from tb_activations.plugin import bounds
from tb_activations.plugin.bounds import Omissions, clipped, with_clipped_texts
from tb_activations.plugin.errors import ApiError, ErrorKind
from tb_activations.plugin.frames import Frame
from tb_activations.plugin.muted import NOTHING_MUTED, Muted
from tb_activations.plugin.not_finite import step_values
from tb_activations.plugin.overview import no_overview
from tb_activations.plugin.own_rules import own_rules
from tb_activations.plugin.series import STATISTICS, drawn_values, epoch_table, lines
from tb_activations.plugin.timeline import health_codes
from tb_activations.records.columns import STEP_STATISTICS, TIME_BINS
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.mute import NO_MUTES, Mutes, counting, mute_of
from tb_activations.records.specs import LayerSpec, WeightSpec
from tb_activations.records.thinning import shown
from tb_activations.records.unit_lives import UnitHistory

HEALTH = "health"
_SEVERITIES = {severity.outcome: severity for severity in Severity}


def run_summary(run: Run, start_time: float | None, line: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of `runs`; all numbers are 0 for a run without observed steps.

    Args:
        start_time: seconds since the epoch, None for that of the first record.
        line: the overview of the run.
    """
    recorded = len(run.steps) > 0
    first_time = run.wall_times[0] if recorded else 0.0
    return {
        "name": run.name,
        "readable": True,
        "kind": None,
        "reason": "",
        "records": len(run.steps),
        "layers": len(run.layers),
        "first_step": int(run.steps[0]) if recorded else 0,
        "last_step": int(run.steps[-1]) if recorded else 0,
        "start_time": float(first_time if start_time is None else start_time),
        "last_time": float(run.wall_times[-1]) if recorded else 0.0,
        "has_ended": run.has_ended,
        **line,
    }


def unreadable_summary(name: str, kind: ErrorKind, reason: str) -> dict[str, Any]:
    """One entry of `runs` for a run that cannot be read."""
    zeros = dict.fromkeys(("records", "layers", "first_step", "last_step", "start_time", "last_time"), 0)
    unknown = {"has_ended": False, **no_overview()}
    return {"name": name, "readable": False, "kind": kind, "reason": reason, **zeros, **unknown}


def run_list(summaries: Sequence[dict[str, Any]], unread: int) -> dict[str, Any]:
    """The answer of `runs`, ordered by start time; leaves out the oldest if there are too many.

    Args:
        summaries: the entries, in any order.
        unread: number of older runs that are not among them.
    """
    left_out = Omissions()
    newest_first = sorted(summaries, key=lambda entry: (entry["start_time"], entry["name"]), reverse=True)
    kept = left_out.fitting("runs", newest_first, len(summaries) + unread, bounds.MOST_RUNS)
    return {"runs": kept[::-1], "left_out": left_out.counts}


def description(run: Run, mutes: Mutes = NO_MUTES) -> dict[str, Any]:
    """The answer of `run`."""
    left_out = Omissions()
    muted = _muted_rules(run, mutes)
    shown = bounds.shown_layers(run)
    left_out.note("layers", len(run.layers) - shown)
    rules = (*run.rules, *run.training_rules)
    left_out.note("rules", len(rules[bounds.MOST_RULES :]))
    weights = map(_weight, run.spec.weights)
    return {
        "run": run.name,
        "model": clipped(run.spec.model),
        "schema_version": SCHEMA_VERSION,
        "layers": [
            _layer(layer, row, muted.get(layer.name, []))
            for layer, row in zip(run.spec.layers[:shown], run.last_outcomes[:shown], strict=True)
        ],
        "weights": left_out.fitting("weights", weights, len(run.spec.weights), bounds.MOST_LAYERS),
        "rules": [_rule(rule, run) for rule in rules[: bounds.MOST_RULES]],
        "statistics": [dataclasses.asdict(statistic) for statistic in STATISTICS],
        "step_statistics": [dataclasses.asdict(statistic) for statistic in STEP_STATISTICS],
        "thresholds": left_out.settings("thresholds", run.spec.thresholds),
        "cadence": left_out.settings("cadence", run.spec.cadence),
        "versions": left_out.settings("versions", run.spec.versions),
        "cost": run.cost or None,
        "records": len(run.steps),
        "left_out": left_out.counts,
    }


def findings(run: Run, muted: Muted = NOTHING_MUTED) -> dict[str, Any]:
    """The answer of `findings`: the verdict, and all findings, worst first."""
    left_out = Omissions()
    entries = (_finding(finding, muted) for finding in worst_first(run.findings, run.spec))
    counted = counting(run.findings, muted.all)
    silenced = len(run.findings) - len(counted)
    whole = verdict(run.spec, counted, run.last_outcomes, run.rules, run.last_training, silenced)
    return {
        "run": run.name,
        "verdict": with_clipped_texts(dataclasses.asdict(whole)),
        "findings": left_out.fitting("findings", entries, len(run.findings), bounds.MOST_FINDINGS),
        "mutes": muted.storage,
        "left_out": left_out.counts,
    }


def matrix(run: Run, stat: str, max_steps: int, mutes: Mutes = NO_MUTES) -> Frame:
    """The answer of `matrix`; `stat` is "health" or in `LAYER_SERIES`."""
    rows = bounds.shown_layers(run)
    left_out = Omissions()
    left_out.note("layers", len(run.layers) - rows)
    indices = shown(len(run.steps), max_steps, width=rows)
    data = health_codes(run, rows, indices, mutes) if stat == HEALTH else drawn_values(run, stat)[indices, :rows].T
    data = data.astype(np.float32)
    measured = data[np.isfinite(data)]
    header = {
        "run": run.name,
        "stat": stat,
        "layers": [clipped(name) for name in run.layers[:rows]],
        **_step_axis(run, indices),
        "low": float(measured.min()) if measured.size else None,
        "high": float(measured.max()) if measured.size else None,
        "left_out": left_out.counts,
    }
    return Frame(header, data)


def series(run: Run, layer: str | None, stats: Sequence[str], max_steps: int) -> Frame:
    """The answer of `series`; `stats` are in `LAYER_SERIES`, or in `STEP_COLUMNS` if `layer` is None.

    Raises:
        ApiError: the run has no such layer.
    """
    indices = shown(len(run.steps), max_steps, width=len(stats))
    position = None if layer is None else _layer_position(run, layer)
    if position is None:
        rows = [step_values(run, stat)[indices] for stat in stats]
    else:
        rows = [drawn_values(run, stat)[indices, position] for stat in stats]
    judged_by = lines(run, position, stats, list(own_rules(run).values()))
    header = {
        "run": run.name,
        "layer": layer,
        "stats": list(stats),
        "lines": judged_by,
        **_step_axis(run, indices),
    }
    return Frame(header, np.stack(rows).astype(np.float32))


def epochs(run: Run, max_steps: int) -> Frame:
    """The answer of `epochs`: like `series`, with the metrics at the ends of epochs."""
    indices = shown(len(run.epoch_metrics), max_steps)
    told = [run.epoch_metrics[index] for index in indices.tolist()]
    names, table = epoch_table(told)
    ends = np.array([epoch.step for epoch in told], np.int64)
    records = np.searchsorted(run.steps, ends, "right") - 1
    header = {
        "run": run.name,
        "layer": None,
        "stats": [clipped(name) for name in names],
        "lines": {},
        "steps": ends.tolist(),
        "recorded_steps": len(run.epoch_metrics),
        "wall_times": run.wall_times[np.maximum(records, 0)].tolist() if len(run.steps) else [],
    }
    return Frame(header, table)


def units(run: Run, layer: str, max_steps: int) -> Frame:
    """The answer of `units`.

    Raises:
        ApiError: the run has no such layer, or the units of the layer are not tracked.
    """
    codes = run.unit_table.of_units(run.spec.unit_slice(_layer_position(run, layer)))
    if not codes.shape[2]:
        raise ApiError(ErrorKind.UNTRACKED_UNITS, f"the units of layer {layer!r} are not tracked in run {run.name!r}")
    left_out = Omissions()
    left_out.note("units", max(0, codes.shape[2] - bounds.MOST_UNITS))
    codes = codes[:, :, : bounds.MOST_UNITS]
    measured = (codes[:, 0] != NOT_MEASURED).any(axis=1)
    steps, codes = run.steps[measured], codes[measured]
    indices = shown(len(steps), max_steps, width=2 * codes.shape[2])
    header = {
        "run": run.name,
        "layer": layer,
        "steps": steps[indices].tolist(),
        "recorded_steps": len(steps),
        "lives": _lives(steps, codes[:, 0], run.step_stat("samples")[measured]),
        "left_out": left_out.counts,
    }
    return Frame(header, np.stack([restore_activity(codes[indices, 0]), restore_peak(codes[indices, 1])]))


def _lives(steps: NDArray[np.int64], codes: NDArray[np.uint8], samples: NDArray[np.float32]) -> list[dict[str, Any]]:
    # Step by step, because all activities at once would take four times the memory of their codes, plus copies.
    history = UnitHistory(codes.shape[1])
    for step, row, count in zip(steps.tolist(), codes, samples, strict=True):
        history.update(step, restore_activity(row), count)
    return [dataclasses.asdict(life) for life in history.lives()]


def histograms(run: Run, layer: str, kind: str, max_steps: int) -> Frame:
    """The answer of `histograms`; `kind` is in `HISTOGRAM_KINDS`.

    Raises:
        ApiError: the run has no such layer.
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


def sequences(run: Run, layer: str, max_steps: int) -> Frame:
    """The answer of `sequences`; it has no steps for a layer that was not measured over time.

    Raises:
        ApiError: the run has no such layer.
    """
    _layer_position(run, layer)
    try:
        found = run.sequences(layer)
    except KeyError:
        none = np.empty(0, np.int64)
        found = Sequences(none, none, np.empty((0, 0), np.float32), np.empty((0, 0), np.float32))
    indices = shown(len(found.steps), max_steps, width=2 * TIME_BINS)
    header = {
        "run": run.name,
        "layer": layer,
        "steps": found.steps[indices].tolist(),
        "recorded_steps": len(found.steps),
        "lengths": found.length[indices].tolist(),
        "readings": [found.reading(index) for index in indices.tolist()],
    }
    return Frame(header, np.stack([found.activity[indices], found.gradient[indices]]))


def _layer(layer: LayerSpec, outcomes: NDArray[np.uint8], muted: Sequence[int]) -> dict[str, Any]:
    known = [Outcome(outcome) for outcome in outcomes]
    counted = [outcome for place, outcome in enumerate(known) if place not in muted]
    worst = _worst([_SEVERITIES[outcome] for outcome in counted if outcome in _SEVERITIES])
    words = [outcome.name.lower() for outcome in known[: bounds.MOST_RULES]]
    members = with_clipped_texts(dataclasses.asdict(layer))
    # The tab does not show it.
    del members["config"]
    return {**members, "severity": worst, "outcomes": words, "muted": muted}


def _muted_rules(run: Run, mutes: Mutes) -> dict[str, list[int]]:
    """For each layer with muted findings the places of their rules."""
    places = {rule: place for place, rule in enumerate(run.rules[: bounds.MOST_RULES])}
    muted: dict[str, list[int]] = {}
    for finding in run.findings if mutes else ():
        if finding.rule in places and mute_of(finding, mutes) is not None:
            muted.setdefault(finding.layer, []).append(places[finding.rule])
    return muted


def _rule(rule: str, run: Run) -> dict[str, Any]:
    known, outcome = RULES.get(rule), run.last_training.get(rule)
    title, why = (known.title, known.why) if known else (rule, "")
    stored = run.spec.thresholds.get(rule, {})
    return {
        "id": clipped(rule, bounds.LONGEST_RULE),
        "title": title,
        "why": why,
        "outcome": None if outcome is None else Outcome(outcome).name.lower(),
        "thresholds": [_threshold(slider, stored.get(slider.id)) for slider in (sliders(known) if known else ())],
    }


def _threshold(slider: Slider, stored: object) -> dict[str, Any]:
    is_known = isinstance(stored, int | float) and slider.low <= stored <= slider.high
    return {**dataclasses.asdict(slider), "value": stored if is_known else slider.default}


def _weight(weight: WeightSpec) -> dict[str, Any]:
    return with_clipped_texts(dataclasses.asdict(weight))


def _finding(finding: Finding, muted: Muted) -> dict[str, Any]:
    named = dataclasses.replace(finding, units=finding.units[: bounds.MOST_FINDING_UNITS])
    whole = with_clipped_texts({"id": finding.id, "quantity": title_of(finding), **dataclasses.asdict(named)})
    return {**whole, "mute": muted.entry(finding)}


def _worst(severities: Sequence[Severity]) -> Severity | None:
    return max(severities, key=lambda severity: severity.rank, default=None)


def _step_axis(run: Run, indices: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "steps": run.steps[indices].tolist(),
        "recorded_steps": len(run.steps),
        "wall_times": run.wall_times[indices].tolist(),
    }


def _layer_position(run: Run, layer: str) -> int:
    if layer not in run.layers:
        raise ApiError(ErrorKind.UNKNOWN_LAYER, f"no layer {layer!r} in run {run.name!r}")
    return run.spec.layer_index(layer)
