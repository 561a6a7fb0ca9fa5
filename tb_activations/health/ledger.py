"""Tracks the findings of a training as they open, persist, close and reopen."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Container, Sequence

from tb_activations.health.rules.base import Evidence, Judged, Rule
from tb_activations.records.finding import Finding, Outcome

REOPEN_WITHIN = 5
"""A finding that reopens within this many observed steps counts as the same one and keeps its id."""

CLOSED_KEPT = 3
"""Closed findings kept per rule and layer, which bounds memory if a finding opens and closes often: the first, which
shows where it began, and the latest ones."""

_Key = tuple[str, str]
"""Rule and layer."""


class Ledger:
    """Open and closed findings; memory depends only on the number of rules and layers."""

    def __init__(self) -> None:
        self._open: dict[_Key, Finding] = {}
        self._closed: dict[_Key, tuple[tuple[int, Finding], ...]] = {}

    def copy(self) -> Ledger:
        """A copy with the same findings; changes to one do not affect the other."""
        result = copy.copy(self)
        result._open, result._closed = dict(self._open), dict(self._closed)
        return result

    def of_layers(self, names: Container[str]) -> Ledger:
        """The findings of these layers only."""
        result = Ledger()
        result._open = {key: finding for key, finding in self._open.items() if key[1] in names}
        result._closed = {key: kept for key, kept in self._closed.items() if key[1] in names}
        return result

    def open_of(self, rule: str, layers: Sequence[str]) -> list[Finding | None]:
        """The open finding of this rule for each layer, None for layers without one."""
        return [self._open.get((rule, layer)) for layer in layers]

    def still_open(self) -> list[Finding]:
        """All open findings."""
        return list(self._open.values())

    def everything(self) -> list[Finding]:
        """All open and closed findings."""
        return [*self._open.values(), *(finding for kept in self._closed.values() for _, finding in kept)]

    def latest(self, rule: str, layer: str) -> Finding:
        """The open finding, otherwise the one that closed last.

        Raises:
            KeyError: the layer never had a finding of this rule.
        """
        finding = self._open.get((rule, layer))
        return finding if finding is not None else self._closed[rule, layer][-1][1]

    def note(self, rule: Rule, layer: str, answer: Judged, *, step: int, check: int) -> bool:
        """Opens, keeps or closes the finding of one rule and layer.

        Args:
            step: the observed step.
            check: number of steps observed so far.

        Returns:
            Whether the finding opened, closed or changed severity.
        """
        key = (rule.id, layer)
        earlier = self._open.get(key)
        if earlier is not None and isinstance(answer, Evidence) and answer.since_step > earlier.opened_step:
            # It has become something else: more units died, or a harmless NaN spread. The earlier finding ends in it.
            earlier = None
        if isinstance(answer, Evidence):
            self._open[key] = self._finding(rule, key, answer, earlier, step, check)
            return earlier is None or earlier.severity is not answer.severity
        # Missing data is not a recovery: only a healthy or not applicable outcome closes a finding.
        if earlier is None or answer not in (Outcome.OK, Outcome.NOT_APPLICABLE):
            return False
        self._close(key, step, check)
        return True

    def _close(self, key: _Key, step: int, check: int) -> None:
        closed = dataclasses.replace(self._open.pop(key), closed_step=step)
        kept = (*self._closed.get(key, ()), (check, closed))
        self._closed[key] = kept if len(kept) <= CLOSED_KEPT else (kept[0], *kept[1 - CLOSED_KEPT :])

    def _finding(
        self, rule: Rule, key: _Key, evidence: Evidence, earlier: Finding | None, step: int, check: int
    ) -> Finding:
        opened = step if earlier is None else earlier.opened_step
        kept = self._closed.get(key, ())
        if earlier is None and kept:
            is_resumed = check - kept[-1][0] <= REOPEN_WITHIN
            evidence = rule.again(evidence, kept[0][1], kept[-1][1] if is_resumed else None)
            if is_resumed:
                opened = kept[-1][1].opened_step
                self._closed[key] = kept[:-1]
        shared = {field.name: getattr(evidence, field.name) for field in dataclasses.fields(evidence)}
        shared |= {"sign": evidence.sign.id, "unit": evidence.sign.unit}
        # A finding that reopens keeps the step at which it first opened, and did not begin later than that.
        shared["since_step"] = min(evidence.since_step, opened)
        return Finding(rule=rule.id, layer=key[1], opened_step=opened, last_step=step, source=rule.source, **shared)
