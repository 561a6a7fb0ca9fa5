"""The findings of a run as points of a tag: each has the order of all findings, and those that changed.

The texts of a finding take a kilobyte, and a deep network in trouble has hundreds that open and close all the time.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.json_codec import finding_from_json, finding_to_json
from tb_activations.events.packing import inflated
from tb_activations.records.finding import Finding

LEVEL = 9
"""Of zlib: short texts that repeat each other take little time, and a twentieth less space than at that of tables."""
MOST_TEXT = 2**25
"""Bytes of text that the findings of a run may have; parsed JSON takes many times as much memory."""


def pack_findings(order: Sequence[str], findings: Iterable[Finding]) -> bytes:
    """A point: a line with the ids of all findings of the run in order, then a line for each of these; zlib."""
    return zlib.compress("\n".join([json.dumps(list(order)), *map(finding_to_json, findings)]).encode(), LEVEL)


class ChangedFindings:
    """Chooses what the next point of a file has to hold."""

    def __init__(self) -> None:
        self._stored: dict[str, tuple[object, ...]] = {}

    def point(self, findings: Sequence[Finding], *, are_whole: bool) -> bytes:
        """The point for these findings, which are all of the run.

        Args:
            findings: open and closed.
            are_whole: whether it holds them all; otherwise those whose state differs from what was stored before. The
                value and the message of a finding that only lasts stay as they were then.
        """
        states = {finding.id: _state(finding) for finding in findings}
        told = [one for one in findings if are_whole or self._stored.get(one.id) != states[one.id]]
        self._stored = states
        return pack_findings(list(states), told)


def _state(finding: Finding) -> tuple[object, ...]:
    return (
        finding.severity,
        finding.sign,
        finding.closed_step,
        finding.reopened_step,
        finding.root,
        finding.origin,
        finding.follow_up,
        finding.sample_id,
    )


def stored_findings(values: Sequence[NDArray[Any]]) -> tuple[tuple[Finding, ...], int]:
    """The findings of a run, and how many could not be read.

    Args:
        values: of the points, in the order of their steps. Those of versions 1 and 2 are arrays of texts, each with all
            findings.
    """
    known: dict[str, Finding] = {}
    order: list[str] | None = None
    unreadable, left = 0, MOST_TEXT
    for value in reversed(values):
        if value.dtype != np.uint8:
            earlier, lost = _parsed(value.ravel().tolist())
            if order is None:
                return earlier, lost + unreadable
            known = {one.id: one for one in earlier} | known
            break
        if left <= 0:
            break
        content, is_whole = inflated(value.tobytes(), left)
        left -= len(content)
        head, *lines = content.split(b"\n")
        ids = _ids(head) if is_whole else None
        if ids is None:
            unreadable += 1
            continue
        order = ids if order is None else order
        known = {one.id: one for one in _parsed(lines)[0]} | known
        if all(one in known for one in order):
            break
    found = [known[one] for one in order or () if one in known]
    return tuple(found), unreadable + len(order or ()) - len(found)


def _ids(head: bytes) -> list[str] | None:
    """The order of findings from the first line of a point; None for anything else."""
    try:
        ids = json.loads(head)
    except (ValueError, RecursionError):
        return None
    return ids if isinstance(ids, list) and all(isinstance(one, str) for one in ids) else None


def _parsed(texts: Iterable[object]) -> tuple[tuple[Finding, ...], int]:
    findings, lost = [], 0
    for text in texts:
        try:
            if not isinstance(text, bytes):
                raise UnreadableRunError("a finding is not text")
            findings.append(finding_from_json(text))
        except UnreadableRunError:
            lost += 1
    return tuple(findings), lost
