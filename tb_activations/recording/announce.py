"""Says what was found while a model trains, each finding once, and acts on problems as the user asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Literal

from tb_activations.records.finding import Finding, Severity

_LOGGER = logging.getLogger("tb_activations")

OnProblem = Literal["warn", "stop", "raise"] | Callable[[Finding], None]

_RANK = {Severity.NOTE: 0, Severity.WARNING: 1, Severity.PROBLEM: 2}


class LayerHealthError(RuntimeError):
    """A training was ended by `on_problem="raise"`; `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def check_on_problem(value: object) -> None:
    """Raises ValueError for anything but the values that `OnProblem` allows."""
    if value not in ("warn", "stop", "raise") and not callable(value):
        raise ValueError(
            f"Invalid value for argument `on_problem`: {value!r}. "
            'Allowed are "warn", "stop", "raise" or a function that takes a finding.'
        )


class Announcer:
    """Logs findings and acts on those of severity "problem".

    A finding is a line at level WARNING when it opens, and another if it grows worse; never again, even if it comes and
    goes. Notes, what follows from another finding, and what is over are lines at level INFO.
    """

    def __init__(self, on_problem: OnProblem, stop: Callable[[], None]) -> None:
        self._on_problem = on_problem
        self._stop = stop
        self._told: dict[str, int] = {}

    def tell(self, changes: Sequence[Finding]) -> None:
        """Takes in what opened, changed severity or closed at one step.

        Raises:
            LayerHealthError: a problem opened and `on_problem` is "raise".
        """
        worse = []
        for finding in changes:
            if finding.closed_step is not None:
                _LOGGER.info("Layer health: over at step %d: %s", finding.closed_step, finding.message)
            elif _RANK[finding.severity] > self._told.get(finding.id, -1):
                self._told[finding.id] = _RANK[finding.severity]
                worse.append(finding)
        # What others follow from comes first: it is what to look at, and what "raise" must name.
        worse.sort(key=lambda finding: (finding.root is not None, -_RANK[finding.severity]))
        for finding in worse:
            _log(finding, followers=sum(other.root == finding.id for other in worse))
        for finding in worse:
            if finding.severity is Severity.PROBLEM:
                self._act(finding)

    def forget(self) -> None:
        """Begins a new run: what was told of the last one says nothing about its findings."""
        self._told.clear()

    def _act(self, finding: Finding) -> None:
        if self._on_problem == "stop":
            self._stop()
        elif self._on_problem == "raise":
            raise LayerHealthError(finding)
        elif callable(self._on_problem):
            self._on_problem(finding)


def _log(finding: Finding, followers: int) -> None:
    is_pressing = finding.severity is not Severity.NOTE and finding.root is None
    more = (
        f" {followers} more {'finding follows' if followers == 1 else 'findings follow'} from it." if followers else ""
    )
    follows = ", follows from another" if finding.root else ""
    level = logging.WARNING if is_pressing else logging.INFO
    _LOGGER.log(level, "Layer health, %s%s: %s%s", finding.severity.value, follows, finding.message, more)
