"""The result of comparing two runs, or two folders of runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tb_activations.comparison.axis import Match
from tb_activations.comparison.difference import Cause, Difference
from tb_activations.comparison.text import LINES, comparison_text, folder_text
from tb_activations.comparison.tolerance import Tolerances

FORMAT = 1
"""Of `to_json`: incremented when a member is removed or changes its meaning; members may be added at any time."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What differs between two runs.

    Attributes:
        name: of the run, as in both folders or in the expected one.
        differences: each statistic of each layer once, in the order of the training: properties of the whole run, then
            by first step, and causes before their consequences within a step.
        steps: number of compared steps, or of epochs if `match` is "epoch".
        match: "step" or "epoch".
        tolerances: which were applied.
        renamed: names of layers in the expected run, each with another name in the actual run.
        aspects: what was compared in addition to structure and statistics.
    """

    name: str
    differences: tuple[Difference, ...]
    steps: int
    match: Match
    tolerances: Tolerances
    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    aspects: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    @property
    def first(self) -> Difference | None:
        """The first measured difference: the earliest step, within it the first layer; if no step differs, the first
        property of the whole run. None for equal runs.
        """
        measured = [difference for difference in self.differences if difference.step is not None]
        return next(iter((*measured, *self.differences)), None)

    @property
    def first_in_a_layer(self) -> Difference | None:
        """The first measured difference that belongs to a layer, None without one."""
        return next((one for one in self.differences if one.step is not None and one.layer is not None), None)

    @property
    def grouped(self) -> dict[Cause, tuple[Difference, ...]]:
        """The differences by cause; causes without any are left out."""
        groups = {cause: tuple(one for one in self.differences if one.cause is cause) for cause in Cause}
        return {cause: found for cause, found in groups.items() if found}

    def largest(self, limit: int = 5) -> tuple[Difference, ...]:
        """The statistics that differ most relative to their values, at most `limit`; histograms have no such order."""
        measured = [one for one in self.differences if one.largest is not None and "histogram" not in one.what]
        return tuple(sorted(measured, key=lambda one: -one.size)[:limit])

    def text(self, lines: int = LINES) -> str:
        """What differs, in at most `lines` lines, at least 20: the first step and layer, the groups, the largest."""
        return comparison_text(self, lines)

    def to_json(self) -> dict[str, Any]:
        """Everything in JSON's own types."""
        first, layer = self.first, self.first_in_a_layer
        return {
            "format": FORMAT,
            "name": self.name,
            "equal": self.is_equal,
            "match": self.match,
            "steps": self.steps,
            "first": first.to_json() if first else None,
            "first_in_a_layer": layer.to_json() if layer else None,
            "largest": [one.to_json() for one in self.largest()],
            "differences": [one.to_json() for one in self.differences],
            "renamed": dict(self.renamed),
            "aspects": list(self.aspects),
            "tolerances": self.tolerances.to_json(),
        }


@dataclasses.dataclass(frozen=True)
class FolderComparison:
    """What differs between two folders of runs.

    Attributes:
        comparisons: of the runs that are in both folders, by name.
        missing, added: names of runs that only the expected folder, only the actual folder has.
    """

    comparisons: tuple[Comparison, ...]
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether both folders have the same runs, and nothing differs in them."""
        return not self.missing and not self.added and all(one.is_equal for one in self.comparisons)

    def text(self, lines: int = LINES) -> str:
        """As `Comparison.text`; of several runs, one line for each that differs."""
        return folder_text(self, lines)

    def to_json(self) -> dict[str, Any]:
        """Everything in JSON's own types."""
        return {
            "format": FORMAT,
            "equal": self.is_equal,
            "missing": list(self.missing),
            "added": list(self.added),
            "runs": [one.to_json() for one in self.comparisons],
        }
