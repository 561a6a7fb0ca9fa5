"""Which observed steps of two runs belong together."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.run import Run

Match = Literal["step", "epoch"]
MATCHES: tuple[Match, ...] = ("step", "epoch")


@dataclasses.dataclass(frozen=True, eq=False)
class Axis:
    """Places of the steps that two runs have in common.

    Attributes:
        match: what they have in common.
        keys: `[common]` int64, the step numbers or epoch numbers, strictly increasing.
        steps: `[common]` int64, their steps in the expected run.
        here, there: `[common]`, their places in the expected and in the actual run.
        missing, added: `int64`, keys that only the expected, only the actual run has.
    """

    match: Match
    keys: NDArray[np.int64]
    steps: NDArray[np.int64]
    here: NDArray[np.intp]
    there: NDArray[np.intp]
    missing: NDArray[np.int64]
    added: NDArray[np.int64]

    def epoch(self, place: int) -> int | None:
        """The epoch at this place if runs are matched by epoch."""
        return int(self.keys[place]) if self.match == "epoch" else None


def axis(expected: Run, actual: Run, match: Match) -> Axis:
    """The common observed steps, or the last observed step of each common epoch.

    Raises:
        ValueError: `match` is not allowed, or a run has no epochs to match by.
    """
    if match not in MATCHES:
        raise ValueError(f"match must be one of {', '.join(MATCHES)}, got {match!r}")
    return _common(match, expected, actual, expected.steps, actual.steps)


def histogram_axis(expected: Run, actual: Run, match: Match) -> Axis:
    """The same for the steps with histograms."""
    return _common(match, expected, actual, expected.histogram_steps, actual.histogram_steps)


def epoch_of(run: Run, steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """`[steps]` int64: the epoch of each step; -1 before the first step of which it is known."""
    epochs = run.step_stat("epoch")
    is_known = np.isfinite(epochs)
    places = np.searchsorted(run.steps[is_known], steps, side="right") - 1
    known = np.append(epochs[is_known], -1).astype(np.int64)
    found: NDArray[np.int64] = known[places]
    return found


def _common(match: Match, expected: Run, actual: Run, steps: NDArray[np.int64], others: NDArray[np.int64]) -> Axis:
    keys = [one if match == "step" else _epochs(run, one) for run, one in ((expected, steps), (actual, others))]
    lasts = [last_places(own) for own in keys]
    firsts, seconds = (own[last] for own, last in zip(keys, lasts, strict=True))
    common, here, there = np.intersect1d(firsts, seconds, assume_unique=True, return_indices=True)
    here, there = lasts[0][here], lasts[1][there]
    return Axis(
        match=match,
        keys=common.astype(np.int64),
        steps=steps[here],
        here=here,
        there=there,
        missing=np.setdiff1d(firsts, seconds),
        added=np.setdiff1d(seconds, firsts),
    )


def _epochs(run: Run, steps: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(run.steps) and not np.isfinite(run.step_stat("epoch")).any():
        raise ValueError(f'the run {run.name!r} has no epochs; use match="step"')
    return epoch_of(run, steps)


def last_places(keys: NDArray[np.int64]) -> NDArray[np.intp]:
    """The last place of each key; keys are ascending."""
    return np.flatnonzero(np.append(keys[1:] != keys[:-1], np.ones(min(len(keys), 1), bool)))
