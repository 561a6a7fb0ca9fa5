"""Names the root cause of each finding, so that one cause is shown once with its consequences below it."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.causes import WHOLE_ROW, direct_causes
from tb_activations.health.graph import LayerGraph
from tb_activations.health.rules import EXPLANATORY_ORDER, RULES
from tb_activations.health.rules.base import AnyFinding, OpenFinding
from tb_activations.records.finding import WHOLE, Finding, Severity
from tb_activations.records.specs import RunSpec


def worst_first(findings: Iterable[Finding], spec: RunSpec) -> tuple[Finding, ...]:
    """The order in which to read findings.

    Open before closed and roots before consequences. Of roots the most severe come first, of equally severe ones those
    with the most consequences, then the earliest, then in call order of the layers.
    """
    findings = list(findings)
    rows = {layer.name: row for row, layer in enumerate(spec.layers)}
    consequences = collections.Counter(finding.root for finding in findings if finding.closed_step is None)

    def order(finding: Finding) -> tuple[bool, bool, int, int, int, int, str, int]:
        is_closed, follows = finding.closed_step is not None, finding.root is not None
        caused = 0 if is_closed else consequences[finding.id]
        row = rows.get(finding.layer, -1 if finding.layer == WHOLE else len(rows))
        begun = 0 if follows else finding.since_step
        return is_closed, follows, -finding.severity.rank, -caused, begun, row, finding.rule, finding.opened_step

    return tuple(sorted(findings, key=order))


def name_roots(findings: Sequence[Finding], spec: RunSpec, graph: LayerGraph) -> list[Finding]:
    """The same findings, with `root` set on every open one that follows from another open one.

    - NaN spreads: all other NaN findings follow from the first one, and so does every finding that began at that step
      or later.
    - Damage to the signal (a dead, saturated or collapsed layer, a poor start) harms later layers; damage to the
      gradient harms earlier layers.
    - If several layers have the same finding, the root is the one nearest to its source: the first layer whose output
      is lost, the last one whose gradient is lost, or the one that explodes most.
    - A cycle of findings has one root, the first of them by `_explains_first`.

    A root follows from no other finding, and every other open finding has exactly one root. The result does not depend
    on the order of `findings`. Findings of layers that `spec` does not have get no root.
    """
    rows = {WHOLE: WHOLE_ROW, **{layer.name: row for row, layer in enumerate(spec.layers)}}
    judged = [finding for finding in findings if finding.closed_step is None and finding.layer in rows]
    roots = {
        finding.id: root
        for finding, root in zip(judged, root_ids(judged, rows, graph), strict=True)
        if root is not None
    }
    return [
        _rooted(finding, None if finding.closed_step is not None else roots.get(finding.id)) for finding in findings
    ]


def root_ids(findings: Sequence[AnyFinding], rows: Mapping[str, int], graph: LayerGraph) -> list[str | None]:
    """The id of the root of each finding, None for a root.

    Args:
        findings: open ones of layers in `rows`.
        rows: the row of each layer, `WHOLE_ROW` for the training as a whole.
    """
    order = sorted(range(len(findings)), key=lambda place: _explains_first(findings[place], rows))
    judged = [findings[place] for place in order]
    firsts = first_of_groups(direct_causes(judged, [rows[finding.layer] for finding in judged], graph)).tolist()
    roots: list[str | None] = [None] * len(findings)
    for place, (own, first) in enumerate(zip(order, firsts, strict=True)):
        roots[own] = None if place == first else judged[first].id
    return roots


def bearings(findings: Iterable[OpenFinding]) -> list[tuple[object, ...]]:
    """What of open findings decides their roots: these stay the same while it does."""
    return [
        (
            one.rule,
            one.layer,
            one.opened_step,
            one.evidence.since_step,
            one.evidence.severity,
            one.evidence.sign,
            one.evidence.origin,
            RULES[one.rule].bearing(one.evidence.value) if one.rule in RULES else one.evidence.value,
        )
        for one in findings
    ]


def first_of_groups(follows: NDArray[np.int64]) -> NDArray[np.int64]:
    """`[findings]`: the root of each finding's group, given the direct cause of each.

    Every finding has one direct cause, itself or another, so a chain of causes always ends in a cycle: a single
    finding that is its own cause, or several findings. The first finding of that cycle is the root of all.

    Args:
        follows: `[findings]` places of the direct causes, in the order in which findings explain each other.
    """
    first, ahead = np.arange(len(follows)), follows
    # Each round doubles the distance that a finding looks ahead, so these rounds cover the longest possible cycle.
    for _ in range(len(follows).bit_length()):
        first = np.minimum(first, first[ahead])
        ahead = ahead[ahead]
    return first[ahead]


def _explains_first(finding: AnyFinding, rows: Mapping[str, int]) -> tuple[bool, int, int, int, str, int, str]:
    """Sort key that puts likely causes first: no notes, early begin, explanatory rule, then the layer's place."""
    is_note, row = finding.severity is Severity.NOTE, rows[finding.layer]
    rule = RULES.get(finding.rule)
    rank = EXPLANATORY_ORDER.index(finding.rule) if rule else len(EXPLANATORY_ORDER)
    place = -row if rule and rule.leader == "nearest_to_loss" else row
    return is_note, finding.since_step, rank, place, finding.rule, finding.opened_step, finding.sign


def _rooted(finding: Finding, root: str | None) -> Finding:
    return finding if finding.root == root else dataclasses.replace(finding, root=root)
