"""Groups of cases that are scored apart: held out, tuned, by family."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from benchmarks.cases.base import FAMILIES
from benchmarks.cases.scoring import Result


@dataclasses.dataclass(frozen=True)
class Group:
    """Results that are scored together.

    F1 counts cases: a sick one that is found is a hit, one that is not a miss, and any case with a false alarm counts
    against the precision.
    """

    title: str
    results: Sequence[Result]

    @property
    def sick(self) -> list[Result]:
        return [result for result in self.results if result.case.rule]

    @property
    def healthy(self) -> list[Result]:
        return [result for result in self.results if not result.case.rule]

    @property
    def alarmed(self) -> list[Result]:
        """Healthy cases with a false alarm."""
        return [result for result in self.healthy if result.found]

    @property
    def found(self) -> int:
        return sum(result.is_found for result in self.sick)

    @property
    def right_layer(self) -> int:
        return sum(bool(result.is_right_layer) for result in self.sick)

    @property
    def f1(self) -> float:
        return self._f1(self.found)

    @property
    def layer_f1(self) -> float:
        """F1 in which only cases with the right layer are hits."""
        return self._f1(self.right_layer)

    def _f1(self, hits: int) -> float:
        false = sum(bool(result.false_alarms) for result in self.results)
        missed = len(self.sick) - hits
        return 2 * hits / (2 * hits + missed + false) if hits + missed + false else 1.0


def halves(results: Sequence[Result]) -> tuple[Group, Group]:
    """The cases that are held out, and those that the thresholds may be set on."""
    held_out = [result for result in results if result.case.is_held_out]
    tuned = [result for result in results if not result.case.is_held_out]
    return Group("Held out", held_out), Group("Tuned", tuned)


def families(results: Sequence[Result]) -> list[Group]:
    """The cases from outside by the kind of program."""
    groups = [Group(family, [one for one in results if one.case.family == family]) for family in FAMILIES]
    return [group for group in groups if group.results]
