"""Logs findings while a model trains, each once, and acts on problems as the user asked."""

from __future__ import annotations

import collections
import logging
import shlex
from collections.abc import Callable, Sequence
from typing import Literal

from tb_activations.health.rules import RULES
from tb_activations.health.verdict import Verdict
from tb_activations.records.arguments import invalid
from tb_activations.records.finding import Finding, Severity

_LOGGER = logging.getLogger("tb_activations")

OnProblem = Literal["warn", "stop", "raise"] | Callable[[Finding], None]


MOST_OF_RULE = 3
"""Warnings of one rule in a training: a deep network that breaks has a finding in each of its hundreds of layers."""


class LayerHealthError(RuntimeError):
    """A training was ended by `on_problem="raise"`; `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def check_on_problem(value: object) -> None:
    """Raises ValueError for anything but the values that `OnProblem` allows."""
    if value not in ("warn", "stop", "raise") and not callable(value):
        raise invalid("on_problem", repr(value), '"warn", "stop", "raise", or a function that takes a finding')


class Announcer:
    """Logs findings and acts on those of severity "problem".

    A finding is logged once at level WARNING when it opens, and once more if its severity rises; never again, even if
    it comes and goes. Notes, consequences of other findings and resolved findings are logged at level INFO; so are
    findings of a rule that has warned `MOST_OF_RULE` times.
    """

    def __init__(self, on_problem: OnProblem, stop: Callable[[], None]) -> None:
        self._on_problem = on_problem
        self._stop = stop
        self._announced: dict[str, int] = {}
        self._warnings: collections.Counter[str] = collections.Counter()
        self._concluded = ""

    def announce(self, changes: Sequence[Finding]) -> None:
        """Takes what opened, changed severity or closed at one step, worst first: roots before what follows from them.

        Raises:
            LayerHealthError: a problem opened and `on_problem` is "raise".
        """
        worse = []
        for finding in changes:
            if finding.closed_step is not None:
                _LOGGER.info("Layer health: resolved at step %d: %s", finding.closed_step, finding.message)
            elif finding.severity.rank > self._announced.get(finding.id, -1):
                self._announced[finding.id] = finding.severity.rank
                worse.append(finding)
        for finding in worse:
            self._log(finding, followers=sum(other.root == finding.id for other in worse))
        for finding in worse:
            if finding.severity is Severity.PROBLEM:
                self._act(finding)

    def conclude(self, verdict: Verdict, log_dir: str) -> None:
        """Logs the verdict at the end of a training, and the command that opens it.

        A healthy one is logged at level INFO, and so is that of the training before: `fit` may be called in a loop.
        """
        is_pressing = verdict.severity not in (None, Severity.NOTE) and verdict.sentence != self._concluded
        self._concluded = verdict.sentence
        _LOGGER.log(
            logging.WARNING if is_pressing else logging.INFO,
            "Layer health, verdict: %s Open it with: tensorboard --logdir %s",
            verdict.sentence,
            shlex.quote(log_dir),
        )

    def forget(self) -> None:
        """Begins a new run, whose findings have not been announced."""
        self._announced.clear()
        self._warnings.clear()
        self._concluded = ""

    def _log(self, finding: Finding, followers: int) -> None:
        more = f" {followers} more {_follow(followers)} from it." if followers else ""
        follows = ", follows from another" if finding.root else ""
        level = self._level(finding)
        _LOGGER.log(level, "Layer health, %s%s: %s%s", finding.severity.value, follows, finding.message, more)

    def _level(self, finding: Finding) -> int:
        """The level at which to log a finding. Warns once of a rule that has reached its limit."""
        if finding.severity is Severity.NOTE or finding.root is not None:
            return logging.INFO
        self._warnings[finding.rule] += 1
        if self._warnings[finding.rule] == MOST_OF_RULE + 1:
            _LOGGER.warning(
                'Layer health: there are more findings of the rule "%s". The tab in TensorBoard shows them all; '
                "this log does at level INFO.",
                RULES[finding.rule].title,
            )
        return logging.WARNING if self._warnings[finding.rule] <= MOST_OF_RULE else logging.INFO

    def _act(self, finding: Finding) -> None:
        if self._on_problem == "stop":
            self._stop()
        elif self._on_problem == "raise":
            raise LayerHealthError(finding)
        elif callable(self._on_problem):
            self._on_problem(finding)


def _follow(count: int) -> str:
    return "finding follows" if count == 1 else "findings follow"
