"""Judging records within a time limit: what takes longer counts as not evaluated."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from tb_activations.health.diagnosis import Diagnosis, Judgement, not_evaluated
from tb_activations.health.rules import Rule
from tb_activations.recording.bounded import Bounded, TimeLimitError
from tb_activations.records.finding import Finding
from tb_activations.records.specs import RunSpec
from tb_activations.records.step_record import StepRecord

_LOGGER = logging.getLogger("tb_activations")

JUDGE_SECONDS = 5.0
"""How long the training waits for the rules at an observed step."""
REPEAT_SECONDS = 30.0
"""How long it waits while the stored records of a continued run are judged again."""

Result = TypeVar("Result")


class Judging:
    """Judges the records of one run, until that has once taken too long."""

    def __init__(
        self,
        spec: RunSpec,
        rules: tuple[Rule, ...],
        bounded: Bounded | None = None,
        repeat_bounded: Bounded | None = None,
    ) -> None:
        self._spec = spec
        self._diagnosis = Diagnosis(spec, rules)
        self._bounded = bounded or Bounded(JUDGE_SECONDS)
        self._repeat_bounded = repeat_bounded or Bounded(REPEAT_SECONDS)
        self._is_off = False
        self._latest: Judgement | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them so far, open and closed, worst first."""
        return self._latest.findings if self._latest is not None else ()

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules, in the order of the columns of `Judgement.outcomes`."""
        return self._diagnosis.rules

    @property
    def training_rules(self) -> tuple[str, ...]:
        """Ids of the rules for the training as a whole, in the order of `Judgement.training`."""
        return self._diagnosis.training_rules

    def redescribe(self, spec: RunSpec) -> None:
        """Continues under a newer description of the run."""
        self._spec = spec
        if not self._is_off:
            self._diagnosis.redescribe(spec)

    def judge(self, record: StepRecord) -> Judgement:
        """Judges the next observed step; not evaluated once the rules have taken too long.

        Raises:
            ValueError: the record does not fit the run's description.
        """
        judgement = self._within(self._bounded, lambda: self._diagnosis.judge(record), record.step)
        if judgement is None:
            return not_evaluated(self._spec, self.rules, self.training_rules, self.findings)
        self._latest = judgement
        return judgement

    def repeat(self, records: Iterable[StepRecord]) -> None:
        """Judges the records from before this training again."""

        def judge_all() -> Judgement | None:
            judgement = None
            for record in records:
                judgement = self._diagnosis.judge(record)
            return judgement

        self._latest = self._within(self._repeat_bounded, judge_all, None)
        self._repeat_bounded.close()

    def rest(self) -> None:
        """Ends the thread that judges; `judge` starts another."""
        self._bounded.close()

    def _within(self, bounded: Bounded, action: Callable[[], Result], step: int | None) -> Result | None:
        if self._is_off:
            return None
        try:
            return bounded.run(action)
        except TimeLimitError:
            self._is_off = True
            _LOGGER.warning(
                "Layer health: judging %s took longer than %g seconds. Later steps are recorded but not evaluated; "
                "training continues.",
                "the earlier records of the run" if step is None else f"step {step}",
                bounded.seconds,
            )
            return None
