"""The report as JSON; `docs/report.md` is the contract."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.run import Run
from tb_activations.health.rules import title_of
from tb_activations.health.verdict import headline
from tb_activations.records.columns import STEP_STATISTICS
from tb_activations.records.finding import Outcome
from tb_activations.records.mute import Mute, mute_of
from tb_activations.report.course import summary
from tb_activations.report.news import has_news
from tb_activations.report.stored import Judged, Unreadable
from tb_activations.report.words import title

FORMAT = 1
"""Incremented when a member is removed or changes its meaning; members may be added at any time."""


def report_json(runs: Sequence[Judged | Unreadable], since: int | None = None) -> str:
    """All runs as one JSON object; NaN and infinities are the strings "NaN", "Infinity" and "-Infinity".

    Args:
        runs: as read.
        since: leaves out findings without news at or after this step, and steps before it from `training`; None for
            everything.
    """
    entries = [_unreadable(run) if isinstance(run, Unreadable) else _run(run, since) for run in runs]
    document = {"format": FORMAT, **({} if since is None else {"since": since}), "runs": entries}
    return json.dumps(_finite(document), allow_nan=False, indent=2, ensure_ascii=False)


def _unreadable(run: Unreadable) -> dict[str, Any]:
    return {"name": run.name, "readable": False, "reason": run.reason}


def _run(judged: Judged, since: int | None) -> dict[str, Any]:
    run = judged.run
    recent = run.steps >= (0 if since is None else since)
    return {
        "name": run.name,
        "readable": True,
        "model": run.spec.model,
        "observed_steps": len(run.steps),
        "first_step": int(run.steps[0]) if len(run.steps) else None,
        "last_step": int(run.steps[-1]) if len(run.steps) else None,
        "verdict": dataclasses.asdict(judged.verdict),
        "rejudged": judged.is_rejudged,
        "rules": [{"id": rule, "title": title(rule), "state": state} for rule, state in judged.states.items()],
        "thresholds": run.spec.thresholds,
        "findings": [
            {
                "id": finding.id,
                "headline": headline(finding),
                "quantity": title_of(finding),
                **dataclasses.asdict(finding),
                "mute": _mute(mute_of(finding, judged.mutes)),
            }
            for finding in run.findings
            if since is None or has_news(run, finding, since)
        ],
        "layers": _layers(run),
        "outcomes": {rule: Outcome(code).name.lower() for rule, code in run.last_training.items()},
        "training": {statistic.id: _series(run, statistic.id, recent) for statistic in STEP_STATISTICS},
        "remarks": judged.remarks,
        "cadence": run.spec.cadence,
        "versions": run.spec.versions,
        "cost": run.cost,
    }


def _mute(mute: Mute | None) -> dict[str, Any] | None:
    return None if mute is None else {"note": mute.note, "time": mute.time, "severity": mute.severity}


def _layers(run: Run) -> list[dict[str, Any]]:
    rows = zip(run.spec.layers, run.last_outcomes, strict=True)
    return [
        dataclasses.asdict(layer)
        | {"outcomes": {rule: Outcome(code).name.lower() for rule, code in zip(run.rules, codes, strict=True)}}
        for layer, codes in rows
    ]


def _series(run: Run, name: str, recent: NDArray[np.bool_]) -> dict[str, Any] | None:
    found = summary(run.steps[recent], run.step_stat(name)[recent])
    return dataclasses.asdict(found) if found else None


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(member) for member in value]
    return value
