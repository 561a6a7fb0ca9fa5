"""Which finding follows from which: one root cause is named once, with its consequences under it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.causes import direct_causes
from tb_activations.health.graph import LayerGraph
from tb_activations.health.rules import EXPLANATORY_ORDER, RULES
from tb_activations.records.finding import Finding, Severity
from tb_activations.records.specs import RunSpec


def worst_first(findings: Iterable[Finding], spec: RunSpec) -> tuple[Finding, ...]:
    """Open before closed, roots before consequences, then by severity, then in call order of the layers."""
    rows = {layer.name: row for row, layer in enumerate(spec.layers)}

    def order(finding: Finding) -> tuple[bool, bool, int, int, str, int]:
        is_closed, follows = finding.closed_step is not None, finding.root is not None
        row = rows.get(finding.layer, len(rows))
        return is_closed, follows, -finding.severity.rank, row, finding.rule, finding.opened_step

    return tuple(sorted(findings, key=order))


def name_roots(findings: Sequence[Finding], spec: RunSpec, graph: LayerGraph) -> list[Finding]:
    """The same findings, `root` set on every open one that follows from another open one.

    - NaN spreads: all other findings of NaN follow from the first; so does what came at or after that step.
    - What harms the signal (a dead, saturated or collapsed layer, a poor start) harms the layers behind it; what harms
      the gradient harms the layers before it.
    - Of several layers that suffer alike the root is the one nearest to where it comes from: the first whose output is
      lost, the last whose gradient is, the one that explodes most.
    - Findings that each follow from the next in a ring have one root, the first of them by `_explains_first`.

    A root follows from nothing, and every other open finding leads to exactly one root. The order in which findings
    are given changes nothing; those of layers that `spec` does not have stand for themselves.
    """
    rows = {layer.name: row for row, layer in enumerate(spec.layers)}
    judged = [finding for finding in findings if finding.closed_step is None and finding.layer in rows]
    judged.sort(key=lambda finding: _explains_first(finding, rows))
    firsts = first_of_groups(direct_causes(judged, [rows[finding.layer] for finding in judged], graph))
    roots = {judged[place].id: judged[first].id for place, first in enumerate(firsts.tolist()) if place != first}
    return [
        _rooted(finding, None if finding.closed_step is not None else roots.get(finding.id)) for finding in findings
    ]


def first_of_groups(follows: NDArray[np.int64]) -> NDArray[np.int64]:
    """`[findings]`: for each the root of its group, given the one that each follows from directly.

    Each follows from one, itself or another, so a group always ends in one ring: a single finding that follows from
    itself, or several. The first finding of that ring is the root, which cannot follow from anything.

    Args:
        follows: `[findings]` places, in the order in which findings explain each other.
    """
    first, ahead = np.arange(len(follows)), follows
    # Each round doubles how far every finding looks ahead, so these rounds pass through the longest possible ring.
    for _ in range(len(follows).bit_length()):
        first = np.minimum(first, first[ahead])
        ahead = ahead[ahead]
    return first[ahead]


def _explains_first(finding: Finding, rows: Mapping[str, int]) -> tuple[bool, int, int, int, str, int, str]:
    """The order in which an engineer looks: what counts, what began first, what harms others, where it begins."""
    is_note, row = finding.severity is Severity.NOTE, rows[finding.layer]
    rule = RULES.get(finding.rule)
    rank = EXPLANATORY_ORDER.index(finding.rule) if rule else len(EXPLANATORY_ORDER)
    place = -row if rule and rule.leader == "nearest_to_loss" else row
    return is_note, finding.since_step, rank, place, finding.rule, finding.opened_step, finding.sign


def _rooted(finding: Finding, root: str | None) -> Finding:
    return finding if finding.root == root else dataclasses.replace(finding, root=root)
