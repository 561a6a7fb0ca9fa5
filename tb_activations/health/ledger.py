"""Tracks the findings of a training as they open, persist, close and reopen."""

from __future__ import annotations

import copy
from collections.abc import Container, Mapping

from tb_activations.health.rules.base import Evidence, Judged, OpenFinding, Rule
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
        self._open: dict[str, dict[str, OpenFinding]] = {}
        self._closed: dict[_Key, tuple[tuple[int, Finding], ...]] = {}

    def copy(self) -> Ledger:
        """A copy with the same findings; changes to one do not affect the other."""
        result = copy.copy(self)
        result._open = {rule: dict(found) for rule, found in self._open.items()}
        result._closed = dict(self._closed)
        return result

    def of_layers(self, names: Container[str]) -> Ledger:
        """The findings of these layers only."""
        result = Ledger()
        result._open = {
            rule: {layer: finding for layer, finding in found.items() if layer in names}
            for rule, found in self._open.items()
        }
        result._closed = {key: kept for key, kept in self._closed.items() if key[1] in names}
        return result

    def open_of(self, rule: str) -> Mapping[str, OpenFinding]:
        """The open findings of this rule by layer."""
        return self._open.get(rule, {})

    def still_open(self) -> list[OpenFinding]:
        """All open findings."""
        return [finding for found in self._open.values() for finding in found.values()]

    def closed(self) -> list[Finding]:
        """All closed findings."""
        return [finding for kept in self._closed.values() for _, finding in kept]

    def latest_id(self, rule: str, layer: str) -> str:
        """The id of the open finding, otherwise of the one that closed last.

        Raises:
            KeyError: the layer never had a finding of this rule.
        """
        finding = self.open_of(rule).get(layer)
        return finding.id if finding is not None else self._closed[rule, layer][-1][1].id

    def note(self, rule: Rule, layer: str, answer: Judged, *, step: int, check: int) -> bool:
        """Opens, keeps or closes the finding of one rule and layer.

        Args:
            step: the observed step.
            check: number of steps observed so far.

        Returns:
            Whether the finding opened, closed or changed severity.
        """
        found = self._open.setdefault(rule.id, {})
        earlier = found.get(layer)
        if isinstance(answer, Evidence):
            if earlier is not None and answer.since_step <= earlier.opened_step:
                found[layer] = _continued(earlier, answer, step)
                return earlier.evidence.severity is not answer.severity
            # It is new, or has become something else: more units died, or a harmless NaN spread. Then the earlier
            # finding ends in it.
            found[layer] = self._opened(rule, layer, answer, step, check)
            return True
        # Missing data is not a recovery: only a healthy or not applicable outcome closes a finding.
        if earlier is None or answer not in (Outcome.OK, Outcome.NOT_APPLICABLE):
            return False
        self._close(rule.id, layer, step, check)
        return True

    def _close(self, rule: str, layer: str, step: int, check: int) -> None:
        closed = self._open[rule].pop(layer).told(closed_step=step)
        kept = (*self._closed.get((rule, layer), ()), (check, closed))
        self._closed[rule, layer] = kept if len(kept) <= CLOSED_KEPT else (kept[0], *kept[1 - CLOSED_KEPT :])

    def _opened(self, rule: Rule, layer: str, evidence: Evidence, step: int, check: int) -> OpenFinding:
        """A new finding, or one that was closed and opens again."""
        opened, key = step, (rule.id, layer)
        kept = self._closed.get(key, ())
        if kept:
            is_resumed = check - kept[-1][0] <= REOPEN_WITHIN
            evidence = rule.again(evidence, kept[0][1], kept[-1][1] if is_resumed else None)
            if is_resumed:
                opened = kept[-1][1].opened_step
                self._closed[key] = kept[:-1]
        return _continued(OpenFinding(rule.id, layer, rule.source, opened, step, evidence), evidence, step)


def _continued(earlier: OpenFinding, evidence: Evidence, step: int) -> OpenFinding:
    """The finding with the evidence of this step."""
    if evidence.since_step > earlier.opened_step:
        # A finding that reopens keeps the step at which it first opened, and did not begin later than that.
        evidence = evidence._replace(since_step=earlier.opened_step)
    return OpenFinding(earlier.rule, earlier.layer, earlier.source, earlier.opened_step, step, evidence)
