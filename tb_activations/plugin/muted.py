"""The mutes of a run as one client sees them."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from tb_activations.plugin.bounds import clipped
from tb_activations.records.finding import Finding
from tb_activations.records.mute import NO_MUTES, Mutes, mute_of


@dataclasses.dataclass(frozen=True)
class Muted:
    """The mutes of a run, and where they are kept.

    Attributes:
        next_to_run: those stored in the folder of the run, by rule and layer.
        in_browser: those that the browser sent; they count where the folder has none.
        why_browser: why new ones are kept in the browser, "" if they are stored next to the run.
        problem: why those next to the run cannot be read, "" if they can.
    """

    next_to_run: Mutes
    in_browser: Mutes
    why_browser: str = ""
    problem: str = ""

    @functools.cached_property
    def all(self) -> Mutes:
        """By rule and layer."""
        return {**self.in_browser, **self.next_to_run}

    def entry(self, finding: Finding) -> dict[str, Any] | None:
        """What `findings` tells of the mute of a finding, None if it is not muted."""
        mute = mute_of(finding, self.all)
        if mute is None:
            return None
        is_stored = (mute.rule, mute.layer) in self.next_to_run
        return {"note": mute.note, "time": mute.time, "stored": "run" if is_stored else "browser"}

    @property
    def storage(self) -> dict[str, str]:
        stored = "browser" if self.why_browser else "run"
        return {"stored": stored, "why": self.why_browser, "problem": clipped(self.problem)}


NOTHING_MUTED = Muted(NO_MUTES, NO_MUTES)
