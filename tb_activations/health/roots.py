"""Which finding follows from which: one root cause is told once, with its consequences under it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from tb_activations.health.records import Finding, RunSpec, Severity
from tb_activations.health.rules.nonfinite import GRADIENTS

NONFINITE = "nonfinite"
DEAD = "dead_units"
VANISHING = "vanishing_gradient"

_RANK = {Severity.PROBLEM: 0, Severity.WARNING: 1, Severity.NOTE: 2}


def worst_first(findings: Iterable[Finding], spec: RunSpec) -> tuple[Finding, ...]:
    """Open before closed, roots before consequences, then by severity, then in call order of the layers."""
    rows = {layer.name: row for row, layer in enumerate(spec.layers)}

    def order(finding: Finding) -> tuple[bool, bool, int, int, str, int]:
        is_closed, follows = finding.closed_step is not None, finding.root is not None
        row = rows.get(finding.layer, len(rows))
        return is_closed, follows, _RANK[finding.severity], row, finding.rule, finding.opened_step

    return tuple(sorted(findings, key=order))


def name_roots(findings: Sequence[Finding], spec: RunSpec) -> list[Finding]:
    """The same findings, `root` set on every open one that follows from another open one.

    - NaN spreads: all other findings of NaN follow from the first; so does what came at or after that step.
    - A dead layer starves: the layers before it get no gradient, the layers behind it no signal.
    - A gradient that vanishes stays small on its way down: the root is the worst layer nearest the loss.
    """
    rows = {layer.name: row for row, layer in enumerate(spec.layers)}
    open_now = [finding for finding in findings if finding.closed_step is None]
    poison = _first_nonfinite([finding for finding in open_now if finding.rule == NONFINITE], rows)
    dead = [finding for finding in open_now if finding.rule == DEAD and finding.severity is not Severity.NOTE]
    silent = [finding for finding in dead if finding.value == 1]
    vanishing = [finding for finding in open_now if finding.rule == VANISHING]
    narrowest = _nearest_the_loss(vanishing, rows)

    def root(finding: Finding) -> Finding | None:
        row = rows[finding.layer]
        if poison and finding is not poison and (finding.rule == NONFINITE or finding.since_step >= poison.since_step):
            return poison
        if finding.rule == DEAD:
            before = [other for other in silent if rows[other.layer] < row and other.since_step <= finding.since_step]
            return min(before, key=lambda other: rows[other.layer], default=None)
        if finding.rule == VANISHING:
            above = [other for other in dead if rows[other.layer] >= row and other.since_step <= finding.since_step]
            starved = min(above, key=lambda other: rows[other.layer], default=None)
            return starved or (narrowest if finding is not narrowest else None)
        return None

    direct = {id(finding): root(finding) for finding in open_now}
    return [dataclasses.replace(finding, root=_last_root(finding, direct)) for finding in findings]


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


def _nearest_the_loss(findings: Sequence[Finding], rows: dict[str, int]) -> Finding | None:
    return min(findings, key=lambda finding: (_RANK[finding.severity], -rows[finding.layer]), default=None)
