"""The user's names of the samples that findings point at."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable
from typing import Any

from tb_activations.recording.bounded import Bounded
from tb_activations.records.arguments import invalid
from tb_activations.records.finding import Finding

_LOGGER = logging.getLogger("tb_activations")

SampleId = Callable[[Any, int], Any] | None

ASK_SECONDS = 5.0
"""How long the training waits for the user's function."""


def check_sample_id(value: object) -> None:
    """Raises TypeError for anything but None or a function."""
    if value is not None and not callable(value):
        raise invalid("sample_id", repr(value), "None, or a function that takes a batch and a row in it", TypeError)


class SampleIds:
    """Asks the user's function once for each finding that points at a row of the batch.

    A function that fails or takes too long causes one warning and is not called again.

    Args:
        function: takes a batch, as the training step gets it, and a row; returns an id. None for no ids.
    """

    def __init__(self, function: SampleId) -> None:
        self._function = function
        self._batch: tuple[int, Any] | None = None
        self._known: dict[str, str] = {}
        self._bounded = Bounded(ASK_SECONDS)

    def rest(self) -> None:
        """Ends the thread that asks; the next question starts another."""
        self._bounded.close()

    def see(self, step: int, batch: Any) -> None:
        """Takes the batch of the step that is judged next; None if it is not known."""
        self._batch = None if batch is None else (step, batch)

    def named(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """The same findings, those that point at a row with its id."""
        return tuple(self._named(finding) for finding in findings)

    def _named(self, finding: Finding) -> Finding:
        if finding.sample_row is None or self._function is None:
            return finding
        if finding.id not in self._known and self._batch is not None and self._batch[0] == finding.opened_step:
            self._known[finding.id] = self._ask(self._batch[1], finding.sample_row)
        name = self._known.get(finding.id, "")
        if not name:
            return finding
        message = f"{finding.message.removesuffix(finding.follow_up)} Its id is {name}.{finding.follow_up}"
        return dataclasses.replace(finding, sample_id=name, message=message)

    def _ask(self, batch: Any, row: int) -> str:
        function = self._function
        assert function is not None
        try:
            return self._bounded.run(lambda: str(function(batch, row)))
        except Exception as error:  # The user's function must not end the recording.
            self._function = None
            _LOGGER.warning("Layer health: sample_id failed for row %d (%s); findings have no ids.", row, error)
            return ""
