"""What a finding follows from directly: which rules harm which others, and where the cause stands in the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.graph import LayerGraph
from tb_activations.health.rules.nonfinite import GRADIENTS
from tb_activations.health.rules.stagnant_weights import RESTLESS
from tb_activations.records.finding import Finding, Severity

NONFINITE, POOR_INIT, EXPLODING = "nonfinite", "poor_init", "exploding_gradient"
DEAD, DORMANT, SATURATED, COLLAPSED = "dead_units", "dormant_units", "saturated_units", "collapsed_layer"
NO_GRADIENT, VANISHING, STAGNANT = "no_gradient", "vanishing_gradient", "stagnant_weights"

AS_CAUSES = (NONFINITE, POOR_INIT, EXPLODING, DEAD, SATURATED, VANISHING, COLLAPSED, DORMANT, NO_GRADIENT, STAGNANT)
"""The rules, those first that explain the others rather than the other way round."""

BACKWARD = (NO_GRADIENT, VANISHING)
"""Rules about the gradient on its way back: of several layers the one nearest the loss explains the others."""

ALL_THE_SAME = 1e-6
"""Outputs whose relative spread over samples is smaller are equal within float32."""

RANK = {Severity.PROBLEM: 0, Severity.WARNING: 1, Severity.NOTE: 2}

_AT_ONCE = 256
"""Findings compared with all suspects at a time, so that memory stays small in networks of thousands of layers."""


class _Where(NamedTuple):
    """Where a cause may stand as seen from its consequence."""

    before: bool = False
    here: bool = False
    behind: bool = False


_FORWARD = _Where(before=True, here=True)
"""The signal on its way forward: a layer suffers from itself and from what stands before it."""
_BACKWARD = _Where(here=True, behind=True)
"""The gradient on its way back: a layer suffers from itself and from what stands nearer the loss."""
_ANYWHERE = _Where(before=True, here=True, behind=True)
_HERE = _Where(here=True)

_CAUSES: dict[str, tuple[tuple[str, _Where], ...]] = {
    EXPLODING: ((POOR_INIT, _ANYWHERE),),
    DEAD: ((POOR_INIT, _FORWARD), (EXPLODING, _FORWARD)),
    DORMANT: ((POOR_INIT, _FORWARD), (EXPLODING, _FORWARD)),
    SATURATED: ((POOR_INIT, _FORWARD), (EXPLODING, _FORWARD)),
    COLLAPSED: ((POOR_INIT, _FORWARD), (DEAD, _FORWARD), (SATURATED, _FORWARD), (VANISHING, _ANYWHERE)),
    # A layer that is given nothing but zeros has no gradient for its kernel either.
    NO_GRADIENT: ((POOR_INIT, _BACKWARD), (DEAD, _ANYWHERE), (SATURATED, _BACKWARD), (COLLAPSED, _BACKWARD)),
    VANISHING: ((POOR_INIT, _ANYWHERE), (DEAD, _BACKWARD), (SATURATED, _BACKWARD), (COLLAPSED, _BACKWARD)),
    STAGNANT: (
        (POOR_INIT, _BACKWARD),
        (DEAD, _BACKWARD),
        (SATURATED, _BACKWARD),
        (COLLAPSED, _BACKWARD),
        (NO_GRADIENT, _HERE),
        (VANISHING, _HERE),
    ),
    RESTLESS: ((EXPLODING, _ANYWHERE),),
}
"""What a finding may follow from, the likeliest first. Two rules may each cause the other, in other layers."""


class _Group(NamedTuple):
    """Findings that are compared with others: their places, and by place the rows of their layers and their begin."""

    places: NDArray[np.int64]
    rows: NDArray[np.int64]
    since: NDArray[np.int64]

    def where(self, chosen: Iterable[bool]) -> _Group:
        flags = np.fromiter(chosen, bool, len(self.places))
        return _Group(*(values[flags] for values in self))


def direct_causes(findings: Sequence[Finding], rows: Sequence[int], graph: LayerGraph) -> NDArray[np.int64]:
    """`[findings]`: the place of the finding that each follows from directly, its own where there is none.

    Two findings may follow from each other, and longer rings are possible.

    Args:
        findings: open ones, in an order that decides between causes that are equally likely.
        rows: of the layers that they are about.
        graph: of all layers.
    """
    every = _Group(
        np.arange(len(findings)),
        np.asarray(rows, np.int64),
        np.array([finding.since_step for finding in findings], np.int64),
    )
    follows = every.places.copy()
    by_kind, by_rule = _grouped(every, map(_kind, findings)), _grouped(every, (one.rule for one in findings))
    for kind, effects in by_kind.items():
        _follow_other_rules(kind, effects, by_rule, findings, graph, follows)
    for rule, alike in by_rule.items():
        _follow_first_of_kind(rule, alike, findings, graph, follows)
    _follow_nonfinite(every, findings, follows)
    return follows


def _grouped(every: _Group, names: Iterable[str]) -> dict[str, _Group]:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    return {name: _Group(*(values[own] for values in every)) for name, own in places.items()}


def _follow_other_rules(
    kind: str,
    effects: _Group,
    by_rule: Mapping[str, _Group],
    findings: Sequence[Finding],
    graph: LayerGraph,
    follows: NDArray[np.int64],
) -> None:
    for rule, where in _CAUSES.get(kind, ()):
        if rule not in by_rule:
            continue
        suspects = by_rule[rule].where(_is_cause(findings[place], kind) for place in by_rule[rule].places)
        if not suspects.places.size:
            continue
        waiting = effects.where(
            follows[place] == place and _may_follow(findings[place], rule) for place in effects.places
        )
        for start in range(0, len(waiting.places), _AT_ONCE):
            some = _Group(*(values[start : start + _AT_ONCE] for values in waiting))
            follows[some.places] = _nearest(some, suspects, where, graph)


def _nearest(effects: _Group, suspects: _Group, where: _Where, graph: LayerGraph) -> NDArray[np.int64]:
    """`[effects]`: the place of the suspect that began first, of these the nearest; the effect's own without one."""
    allowed = suspects.since <= effects.since[:, None]
    allowed &= _stands(suspects.rows, effects.rows[:, None], where, graph)
    latest = np.iinfo(np.int64).max
    since = np.where(allowed, suspects.since, latest)
    allowed &= since == since.min(axis=1, keepdims=True)
    distances = np.where(allowed, np.abs(suspects.rows - effects.rows[:, None]), latest)
    return np.where(allowed.any(axis=1), suspects.places[distances.argmin(axis=1)], effects.places)


def _stands(
    causes: NDArray[np.int64], effects: NDArray[np.int64], where: _Where, graph: LayerGraph
) -> NDArray[np.bool_]:
    """Whether the layers of causes stand where they may, as seen from those of effects; the two are broadcast."""
    stands: NDArray[np.bool_] = (causes == effects) & where.here
    if where.before:
        stands |= graph.reaches[causes, effects]
    if where.behind:
        stands |= graph.reaches[effects, causes]
    return stands


def _follow_first_of_kind(
    rule: str, alike: _Group, findings: Sequence[Finding], graph: LayerGraph, follows: NDArray[np.int64]
) -> None:
    """Of several layers that suffer alike, those without another cause follow the one nearest to where it begins."""
    first = _first_of_kind(rule, alike, findings)
    if first is None:
        return
    at = int(np.flatnonzero(alike.places == first)[0])
    is_forward = rule in (DEAD, COLLAPSED)
    spreads = _stands(alike.rows[at], alike.rows, _Where(before=True) if is_forward else _ANYWHERE, graph)
    if is_forward:
        spreads &= alike.since[at] <= alike.since
    spreads &= (alike.places != first) & (follows[alike.places] == alike.places)
    follows[alike.places[spreads]] = first


def _first_of_kind(rule: str, alike: _Group, findings: Sequence[Finding]) -> int | None:
    """The place of the finding that others of the same rule follow from, None where each stands for itself."""
    rows = dict(zip(alike.places.tolist(), alike.rows.tolist(), strict=True))

    def strength(place: int) -> tuple[float, ...]:
        finding = findings[place]
        value = math.inf if math.isnan(finding.value) else finding.value
        return RANK[finding.severity], finding.since_step, -value

    orders: dict[str, Callable[[int], tuple[float, ...]]] = {
        DEAD: lambda place: (rows[place],),
        COLLAPSED: lambda place: (rows[place],),
        EXPLODING: strength,
        NO_GRADIENT: lambda place: (RANK[findings[place].severity], -rows[place]),
        VANISHING: lambda place: (RANK[findings[place].severity], -rows[place]),
    }
    if rule not in orders:
        return None
    serious = [place for place in rows if rule != DEAD or findings[place].value == 1]
    return min(serious, key=orders[rule], default=None)


def _follow_nonfinite(every: _Group, findings: Sequence[Finding], follows: NDArray[np.int64]) -> None:
    """NaN spreads: what is not finite follows from the first that was, and so does what began with it or after it."""
    is_nonfinite = np.array([finding.rule == NONFINITE for finding in findings], bool)
    rows = dict(zip(every.places.tolist(), every.rows.tolist(), strict=True))

    def order(place: int) -> tuple[bool, int, bool, int]:
        finding, row = findings[place], rows[place]
        is_backward = finding.quantity == GRADIENTS
        # Gradients travel from the loss down: the one nearest the loss went wrong first.
        return finding.severity is Severity.NOTE, finding.since_step, is_backward, -row if is_backward else row

    first = min(every.places[is_nonfinite].tolist(), key=order, default=None)
    if first is None:
        return
    # What harms nothing (a mask of -inf) explains nothing else.
    is_harmful = findings[first].severity is not Severity.NOTE
    follows[is_nonfinite | (is_harmful & (every.since >= every.since[first]))] = first


def _kind(finding: Finding) -> str:
    """The rule, but for weights that move too fast: they have other causes than weights that do not move."""
    return RESTLESS if finding.quantity == RESTLESS else finding.rule


def _is_cause(cause: Finding, kind: str) -> bool:
    """Whether the cause is as bad as consequences of this kind take it to be.

    A few dead units starve nobody: it takes the whole layer, but for a gradient that only becomes small. Outputs that
    only hardly differ let something through; those that are all the same let nothing through.
    """
    if cause.severity is Severity.NOTE:
        return False
    if cause.rule == COLLAPSED:
        return cause.value < ALL_THE_SAME
    return cause.rule != DEAD or cause.value == 1 or kind == VANISHING


def _may_follow(effect: Finding, rule: str) -> bool:
    """Outputs that hardly differ are what a signal that fades away leaves; those that are all the same are not."""
    return not (effect.rule == COLLAPSED and rule == VANISHING) or effect.value >= ALL_THE_SAME
