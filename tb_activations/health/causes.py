"""Finds the direct cause of each finding. Rules define which findings cause which, the graph restricts where."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.graph import LayerGraph
from tb_activations.health.rules import RULES
from tb_activations.health.rules.base import ANYWHERE, AnyFinding, Cause, Leader, Where
from tb_activations.health.rules.nan_origin import Origin
from tb_activations.health.rules.nonfinite import GRADIENTS, OUTPUTS
from tb_activations.health.rules.poor_init import DRIVE, GAIN_HIGH
from tb_activations.records.finding import Severity

NONFINITE = "nonfinite"

WHOLE_ROW = -1
"""Stands for the row of a layer in findings about the training as a whole: they may cause and follow any other."""

_BEFORE_NONFINITE = ("nonfinite_data", "exploding_gradient", "nonfinite_loss")
"""Rules whose findings explain the first non-finite value, the most likely first."""

Name = TypeVar("Name", str, tuple[str, str])

_AT_ONCE = 256
"""Findings that are compared with all suspects at once. Bounds memory in networks with thousands of layers."""


class _Group(NamedTuple):
    """A set of findings: their places in the list and, for each, the row of its layer and its first step."""

    places: NDArray[np.int64]
    rows: NDArray[np.int64]
    since: NDArray[np.int64]

    def where(self, chosen: Iterable[bool]) -> _Group:
        flags = np.fromiter(chosen, bool, len(self.places))
        return _Group(*(values[flags] for values in self))


def direct_causes(findings: Sequence[AnyFinding], rows: Sequence[int], graph: LayerGraph) -> NDArray[np.int64]:
    """`[findings]`: the place of the direct cause of each finding; the finding's own place if it has no cause.

    Two findings may be each other's cause, and longer cycles are possible.

    Args:
        findings: open ones; of equally likely causes the one that comes first wins.
        rows: the row of each finding's layer, `WHOLE_ROW` for the training as a whole.
        graph: of all layers.
    """
    every = _Group(
        np.arange(len(findings)),
        np.asarray(rows, np.int64),
        np.array([finding.since_step for finding in findings], np.int64),
    )
    follows = every.places.copy()
    by_sign = _grouped(every, ((one.rule, one.sign) for one in findings))
    by_rule = _grouped(every, (one.rule for one in findings))
    for (rule, sign), effects in by_sign.items():
        causes = RULES[rule].causes_of(sign) if rule in RULES else ()
        _follow_other_rules(rule, causes, effects, by_rule, findings, graph, follows)
    for rule, alike in by_rule.items():
        _follow_leader(rule, alike, findings, graph, follows)
    _follow_nonfinite(every, findings, follows)
    return follows


def _grouped(every: _Group, names: Iterable[Name]) -> dict[Name, _Group]:
    places: dict[Name, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    return {name: _Group(*(values[own] for values in every)) for name, own in places.items()}


def _follow_other_rules(
    rule: str,
    causes: Sequence[Cause],
    effects: _Group,
    by_rule: Mapping[str, _Group],
    findings: Sequence[AnyFinding],
    graph: LayerGraph,
    follows: NDArray[np.int64],
) -> None:
    for cause, where in causes:
        if cause not in by_rule:
            continue
        alike = by_rule[cause]
        suspects = alike.where(RULES[cause].can_cause(findings[place], rule) for place in alike.places)
        if not suspects.places.size:
            continue
        waiting = effects.where(
            follows[place] == place and RULES[rule].can_follow(findings[place], cause) for place in effects.places
        )
        for start in range(0, len(waiting.places), _AT_ONCE):
            some = _Group(*(values[start : start + _AT_ONCE] for values in waiting))
            follows[some.places] = _nearest(some, suspects, where, graph)


def _nearest(effects: _Group, suspects: _Group, where: Where, graph: LayerGraph) -> NDArray[np.int64]:
    """`[effects]`: the place of the earliest suspect, of these the nearest; the effect's own place without one."""
    # A cause cannot begin after its effect.
    allowed = suspects.since <= effects.since[:, None]
    allowed &= _lies(suspects.rows, effects.rows[:, None], where, graph)
    latest = np.iinfo(np.int64).max
    since = np.where(allowed, suspects.since, latest)
    allowed &= since == since.min(axis=1, keepdims=True)
    distances = np.where(allowed, np.abs(suspects.rows - effects.rows[:, None]), latest)
    return np.where(allowed.any(axis=1), suspects.places[distances.argmin(axis=1)], effects.places)


def _lies(causes: NDArray[np.int64], effects: NDArray[np.int64], where: Where, graph: LayerGraph) -> NDArray[np.bool_]:
    """Whether each cause's layer lies where a cause may, seen from the effect's layer; the arrays are broadcast."""
    lies: NDArray[np.bool_] = (causes == WHOLE_ROW) | (effects == WHOLE_ROW) | ((causes == effects) & where.here)
    if where.before:
        lies |= graph.reaches[causes, effects]
    if where.behind:
        lies |= graph.reaches[effects, causes]
    return lies


def _follow_leader(
    rule: str, alike: _Group, findings: Sequence[AnyFinding], graph: LayerGraph, follows: NDArray[np.int64]
) -> None:
    """Makes the leader of one rule's findings the cause of those that have no cause in another rule."""
    leader = RULES[rule].leader if rule in RULES else None
    if leader is None:
        return
    rows = dict(zip(alike.places.tolist(), alike.rows.tolist(), strict=True))
    able = [place for place in rows if RULES[rule].explains_others(findings[place])]
    first = min(able, key=lambda place: _precedence(leader, findings[place], rows[place]), default=None)
    if first is None:
        return
    at = int(np.flatnonzero(alike.places == first)[0])
    is_forward = leader == "first"
    spreads = _lies(alike.rows[at], alike.rows, Where(before=True) if is_forward else ANYWHERE, graph)
    if is_forward:
        spreads &= alike.since[at] <= alike.since
    spreads &= (alike.places != first) & (follows[alike.places] == alike.places)
    follows[alike.places[spreads]] = first


def _precedence(leader: Leader, finding: AnyFinding, row: int) -> tuple[float, ...]:
    """Sort key that puts the finding which explains the others first."""
    if leader == "first":
        return (row,)
    if leader == "nearest_to_loss":
        return -finding.severity.rank, -row
    value = math.inf if math.isnan(finding.value) else finding.value
    return -finding.severity.rank, finding.since_step, -value


def _follow_nonfinite(every: _Group, findings: Sequence[AnyFinding], follows: NDArray[np.int64]) -> None:
    """Makes the first non-finite value the cause of all others, and of every finding that began with it or later."""
    is_nonfinite = np.array([finding.rule == NONFINITE for finding in findings], bool)
    rows = dict(zip(every.places.tolist(), every.rows.tolist(), strict=True))

    def order(place: int) -> tuple[bool, int, bool, bool, int]:
        finding, row = findings[place], rows[place]
        is_backward, is_other = finding.sign == GRADIENTS.id, finding.origin != Origin.SUSPECTED.value
        # Gradients flow backward from the loss, so the one nearest the loss went wrong first.
        return (
            finding.severity is Severity.NOTE,
            finding.since_step,
            is_other,
            is_backward,
            -row if is_backward else row,
        )

    first = min(every.places[is_nonfinite].tolist(), key=order, default=None)
    if first is None:
        return
    # A harmless finding (a mask of -inf) explains no other one.
    is_harmful = findings[first].severity is not Severity.NOTE
    origin = _origin(findings, every, first) if is_harmful else first
    before = follows[origin]
    follows[is_nonfinite | (is_harmful & (every.since >= every.since[first]))] = first
    follows[first], follows[origin] = origin, origin if origin == first else before


def _origin(findings: Sequence[AnyFinding], every: _Group, first: int) -> int:
    """The place of the finding that explains the first non-finite value; `first` itself without one."""
    for rule in _BEFORE_NONFINITE:
        able: list[int] = [
            place
            for place in every.places.tolist()
            if findings[place].rule == rule
            and findings[place].severity is not Severity.NOTE
            and every.since[place] <= every.since[first]
        ]
        if able:
            return min(able, key=lambda place: _precedence("largest", findings[place], int(every.rows[place])))
    return _overflow(findings, every, first)


def _overflow(findings: Sequence[AnyFinding], every: _Group, first: int) -> int:
    """The place of the finding that this very layer's kernel starts far too large, if its outputs were lost first."""
    if findings[first].sign != OUTPUTS.id:
        return first
    able = (
        place
        for place in every.places.tolist()
        if findings[place].rule == "poor_init"
        and findings[place].sign in (GAIN_HIGH.id, DRIVE.id)
        and findings[place].severity is not Severity.NOTE
        and every.rows[place] == every.rows[first]
        and every.since[place] <= every.since[first]
    )
    return next(able, first)
