"""Which finding follows from which: one root cause is told once, with its consequences under it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from tb_activations.health.graph import LayerGraph
from tb_activations.health.records import Finding, RunSpec, Severity
from tb_activations.health.rules.nonfinite import GRADIENTS
from tb_activations.health.rules.stagnant_weights import RESTLESS

NONFINITE, POOR_INIT, EXPLODING = "nonfinite", "poor_init", "exploding_gradient"
DEAD, DORMANT, SATURATED, COLLAPSED = "dead_units", "dormant_units", "saturated_units", "collapsed_layer"
NO_GRADIENT, VANISHING, STAGNANT = "no_gradient", "vanishing_gradient", "stagnant_weights"

ALL_THE_SAME = 1e-6
"""Outputs whose relative spread over samples is smaller are equal within float32."""

_RANK = {Severity.PROBLEM: 0, Severity.WARNING: 1, Severity.NOTE: 2}


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
"""What a finding may follow from, the likeliest first. No rule stands among the causes of its own causes."""


def worst_first(findings: Iterable[Finding], spec: RunSpec) -> tuple[Finding, ...]:
    """Open before closed, roots before consequences, then by severity, then in call order of the layers."""
    rows = {layer.name: row for row, layer in enumerate(spec.layers)}

    def order(finding: Finding) -> tuple[bool, bool, int, int, str, int]:
        is_closed, follows = finding.closed_step is not None, finding.root is not None
        row = rows.get(finding.layer, len(rows))
        return is_closed, follows, _RANK[finding.severity], row, finding.rule, finding.opened_step

    return tuple(sorted(findings, key=order))


def name_roots(findings: Sequence[Finding], spec: RunSpec, graph: LayerGraph) -> list[Finding]:
    """The same findings, `root` set on every open one that follows from another open one.

    - NaN spreads: all other findings of NaN follow from the first; so does what came at or after that step.
    - What harms the signal (a dead, saturated or collapsed layer, a poor start) harms the layers behind it; what harms
      the gradient harms the layers before it.
    - Of several layers that suffer alike the root is the one nearest to where it comes from: the first whose output is
      lost, the last whose gradient is, the one that explodes most.
    """
    rows = {layer.name: row for row, layer in enumerate(spec.layers)}
    open_now = [finding for finding in findings if finding.closed_step is None]
    by_rule: dict[str, list[Finding]] = {}
    for finding in open_now:
        by_rule.setdefault(finding.rule, []).append(finding)
    poison = _first_nonfinite(by_rule.get(NONFINITE, []), rows)
    of_kind = {rule: _first_of_kind(rule, alike, rows) for rule, alike in by_rule.items()}

    def stands(cause: Finding, effect: Finding, where: _Where) -> bool:
        one, other = rows[cause.layer], rows[effect.layer]
        if one == other:
            return where.here
        return bool((where.before and graph.reaches[one, other]) or (where.behind and graph.reaches[other, one]))

    def cause(finding: Finding) -> Finding | None:
        for rule, where in _CAUSES.get(_kind(finding), ()):
            suspects = [
                other
                for other in by_rule.get(rule, ())
                if other.severity is not Severity.NOTE
                and other.since_step <= finding.since_step
                and _is_enough(other, finding)
                and stands(other, finding, where)
            ]
            if suspects:
                return min(suspects, key=lambda other: (other.since_step, abs(rows[other.layer] - rows[finding.layer])))
        return None

    def root(finding: Finding) -> Finding | None:
        if poison and finding is not poison and (finding.rule == NONFINITE or finding.since_step >= poison.since_step):
            return poison
        if (found := cause(finding)) is not None:
            return found
        first = of_kind[finding.rule]
        if first is None or first is finding:
            return None
        if finding.rule in (DEAD, COLLAPSED):
            spreads = first.since_step <= finding.since_step and stands(first, finding, _Where(before=True))
            return first if spreads else None
        return first if stands(first, finding, _ANYWHERE) else None

    direct = {id(finding): root(finding) for finding in open_now}
    return [dataclasses.replace(finding, root=_last_root(finding, direct)) for finding in findings]


def _kind(finding: Finding) -> str:
    """The rule, but for weights that move too fast: they have other causes than weights that do not move."""
    return RESTLESS if finding.quantity == RESTLESS else finding.rule


def _is_enough(cause: Finding, effect: Finding) -> bool:
    """Whether the cause is as bad as the consequence takes it to be.

    A few dead units starve nobody: it takes the whole layer, but for a gradient that only becomes small. Outputs that
    are all the same let nothing through, while those that only hardly differ are what a signal that fades away leaves.
    """
    if cause.rule == COLLAPSED:
        return cause.value < ALL_THE_SAME
    if effect.rule == COLLAPSED and cause.rule == VANISHING:
        return effect.value >= ALL_THE_SAME
    return cause.rule != DEAD or cause.value == 1 or effect.rule == VANISHING


def _first_of_kind(rule: str, alike: Sequence[Finding], rows: dict[str, int]) -> Finding | None:
    """The finding that others of the same rule follow from, None where each stands for itself."""
    orders: dict[str, Callable[[Finding], tuple[float, ...]]] = {
        DEAD: lambda finding: (rows[finding.layer],),
        COLLAPSED: lambda finding: (rows[finding.layer],),
        EXPLODING: lambda finding: (_RANK[finding.severity], finding.since_step, -finding.value),
        NO_GRADIENT: lambda finding: (_RANK[finding.severity], -rows[finding.layer]),
        VANISHING: lambda finding: (_RANK[finding.severity], -rows[finding.layer]),
    }
    if rule not in orders:
        return None
    serious = [finding for finding in alike if rule != DEAD or finding.value == 1]
    return min(serious, key=orders[rule], default=None)


def _last_root(finding: Finding, direct: dict[int, Finding | None]) -> str | None:
    above = direct.get(id(finding))
    if above is None:
        return None
    while (next_above := direct.get(id(above))) is not None:
        above = next_above
    return above.id


def _first_nonfinite(findings: Sequence[Finding], rows: dict[str, int]) -> Finding | None:
    def order(finding: Finding) -> tuple[bool, int, bool, int]:
        row, is_backward = rows[finding.layer], finding.quantity == GRADIENTS
        # Gradients travel from the loss down: the one nearest the loss went wrong first.
        return finding.severity is Severity.NOTE, finding.since_step, is_backward, -row if is_backward else row

    return min(findings, key=order, default=None)
