"""Health over time as the tab draws it: findings from when they began, and muted ones apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.run import Run
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.mute import NO_MUTES, Mutes, mute_of
from tb_activations.records.thinning import health

MUTED = "muted"
CODES = (*(outcome.name.lower() for outcome in Outcome), MUTED, *(f"early_{severity}" for severity in Severity))
"""The state of a layer at a step by its code: an outcome, muted findings only, a finding that was confirmed later."""

_QUIET = (Outcome.NOT_APPLICABLE, Outcome.INSUFFICIENT_DATA, Outcome.OK)
_MILD_TO_BAD = [
    *(outcome.name.lower() for outcome in _QUIET),
    MUTED,
    "early_note",
    "error",
    "note",
    "early_warning",
    "warning",
    "early_problem",
    "problem",
]
_RANKS = np.array([_MILD_TO_BAD.index(code) for code in CODES])
"""`[codes]`: a mark takes the place of codes with a lower one."""


class _Mark(NamedTuple):
    """A code for the steps of a layer from `first` up to, not including, `past`."""

    code: int
    layer: str
    first: int
    past: float


def health_codes(run: Run, rows: int, indices: NDArray[np.int64], mutes: Mutes = NO_MUTES) -> NDArray[np.uint8]:
    """`[rows, shown steps]`: codes of the first layers over the steps that each shown step represents.

    The worst finding counts at every step, from the one at which it had begun. Until it was confirmed it has a code of
    its own. Muted findings show where there is no other.

    Args:
        indices: as returned by `shown`.
        mutes: findings that do not count.
    """
    muted = [finding for finding in run.findings if mutes and mute_of(finding, mutes) is not None]
    codes = health(_without(run, rows, muted), indices)
    row_of = {layer: row for row, layer in enumerate(run.layers[:rows])}
    marks = [_Mark(CODES.index(MUTED), one.layer, min(one.since_step, one.opened_step), np.inf) for one in muted]
    marks += [
        _Mark(CODES.index(f"early_{one.severity}"), one.layer, one.since_step, _confirmed(run, one, row_of))
        for one in run.findings
        if one.since_step < one.opened_step and one.layer in row_of and one not in muted
    ]
    for code, layer, first, past in sorted(marks):
        begun, ended = np.searchsorted(run.steps, [first, past]).tolist()
        if layer not in row_of or begun >= ended:
            continue
        start, end = np.searchsorted(indices, [begun, ended - 1]).tolist()
        shown = codes[row_of[layer], start : end + 1]
        shown[_RANKS[shown] < _RANKS[code]] = code
    return codes


def _confirmed(run: Run, finding: Finding, row_of: Mapping[str, int]) -> int:
    """The step at which the finding became as bad as it is; that at which it opened if the outcomes do not tell."""
    opened = int(np.searchsorted(run.steps, finding.opened_step))
    if finding.rule not in run.rules:
        return finding.opened_step
    outcomes = run.outcomes[opened:, row_of[finding.layer], run.rules.index(finding.rule)]
    is_as_bad = np.isin(outcomes, [one.outcome for one in Severity if one.rank >= finding.severity.rank])
    return int(run.steps[opened + int(np.argmax(is_as_bad))]) if is_as_bad.any() else finding.opened_step


def _without(run: Run, rows: int, muted: list[Finding]) -> NDArray[np.uint8]:
    """`[S, rows, rules]`: the outcomes, with `OK` where these findings are open."""
    outcomes = run.outcomes[:, :rows]
    columns = {rule: column for column, rule in enumerate(run.rules)}
    row_of = {layer: row for row, layer in enumerate(run.layers[:rows])}
    if muted:
        outcomes = outcomes.copy()
    found = [severity.outcome for severity in Severity]
    for finding in muted:
        if finding.layer in row_of and finding.rule in columns:
            opened = int(np.searchsorted(run.steps, finding.opened_step))
            own = outcomes[opened:, row_of[finding.layer], columns[finding.rule]]
            own[np.isin(own, found)] = Outcome.OK
    return outcomes
