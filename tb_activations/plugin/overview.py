"""A run in one line of the table of runs: its verdict, its health over time, and its latest metrics."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.run import Run
from tb_activations.health.verdict import headline, start_with, verdict
from tb_activations.plugin.bounds import clipped
from tb_activations.records.finding import Outcome
from tb_activations.records.mute import NO_MUTES, Mutes, counting

COLUMNS = 60
"""Of the health over time."""
LONGEST_SENTENCE = 1000
"""Characters."""
GAP = "-"
"""Stands for a column in a long stretch without records."""
_LONG_GAP = 4
"""Columns between two records from which on it counts as a gap."""


def overview(run: Run, latest: Run, mutes: Mutes = NO_MUTES) -> dict[str, Any]:
    """The line of a run.

    Args:
        run: with its totals, findings and epochs.
        latest: the same run with its last outcomes only, which are all that the verdict needs of them.
        mutes: findings that do not count.
    """
    findings = counting(run.findings, mutes)
    seen = latest.spec, findings, latest.last_outcomes, latest.rules, latest.last_training
    judged = verdict(*seen, muted=len(run.findings) - len(findings))
    first = start_with(findings, run.spec)
    return {
        "severity": judged.severity,
        "sentence": clipped(judged.sentence, LONGEST_SENTENCE),
        "layer": clipped(judged.layer),
        "headline": "" if first is None else clipped(headline(first), LONGEST_SENTENCE),
        "since_step": None if first is None else first.since_step,
        "layers_affected": judged.layers_affected,
        "health": health_over_time(dataclasses.replace(run, findings=findings), is_judged=judged.rules_checked > 0),
        **latest_metrics(run),
    }


def no_overview() -> dict[str, Any]:
    """The line of a run that cannot be read."""
    return {
        "severity": None,
        "sentence": "",
        "layer": "",
        "headline": "",
        "since_step": None,
        "layers_affected": 0,
        "health": "",
        "epoch": None,
        "metrics": {},
    }


def health_over_time(run: Run, columns: int = COLUMNS, *, is_judged: bool = True) -> str:
    """One character per column: the `Outcome` of the whole run between two steps, or `GAP`; "" without records.

    The columns divide the steps evenly. The worst finding counts from the step at which it began to the one at which
    it was resolved.
    """
    if not len(run.steps):
        return ""
    first, last = int(run.steps[0]), int(run.steps[-1])
    rank = np.full(columns, (Outcome.OK if is_judged else Outcome.INSUFFICIENT_DATA).rank)
    for finding in run.findings:
        end = last if finding.closed_step is None else finding.closed_step
        begun, ended = _columns(np.array([finding.since_step, end]), first, last, columns)
        rank[begun : ended + 1] = np.maximum(rank[begun : ended + 1], finding.severity.outcome.rank)
    known = {outcome.rank: str(int(outcome)) for outcome in Outcome}
    names = [known[value] for value in rank.tolist()]
    for column in _gaps(_columns(run.steps, first, last, columns)):
        if names[column] in (str(int(Outcome.OK)), str(int(Outcome.INSUFFICIENT_DATA))):
            names[column] = GAP
    return "".join(names)


def latest_metrics(run: Run) -> dict[str, Any]:
    """`epoch` and `metrics` of the last epoch; without epochs None and the loss of the last record."""
    if run.epoch_metrics:
        newest = run.epoch_metrics[-1]
        return {"epoch": newest.epoch, "metrics": dict(newest.values)}
    losses, broken = run.step_stat("loss"), run.step_stat("loss_nonfinite")
    if not len(losses) or (math.isnan(losses[-1]) and not broken[-1] > 0):
        return {"epoch": None, "metrics": {}}
    return {"epoch": None, "metrics": {"loss": float(losses[-1])}}


def _columns(steps: NDArray[np.int64], first: int, last: int, columns: int) -> NDArray[np.int64]:
    """The column of each step."""
    share = (np.clip(steps, first, last) - first) / max(1, last - first)
    return np.minimum((share * columns).astype(np.int64), columns - 1)


def _gaps(filled: NDArray[np.int64]) -> list[int]:
    """Columns in long stretches without records."""
    before = np.flatnonzero(np.diff(filled) > _LONG_GAP)
    return [column for index in before for column in range(int(filled[index]) + 1, int(filled[index + 1]))]
