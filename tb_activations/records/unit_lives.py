"""The life of each unit: born dead, died, revived. One implementation for live training and for a stored run."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

LifeState = Literal["born_dead", "died", "alive", "revived", "unknown"]

LONG_SILENCE_CHECKS = 3
"""Observed steps. A shorter silence is chance: healthy units become silent and come back."""


@dataclasses.dataclass(frozen=True)
class UnitLife:
    """What became of one unit.

    Attributes:
        unit: index on the feature axis.
        state: `born_dead` was never seen active; `died` was, and ends in a long silence; `revived` came back from one;
            `unknown` was not measured, or too seldom to tell.
        since_step: the observed step the state began at.
        revivals: how often the unit came back from a long silence.
        samples: over how many samples the unit has been silent up to the end; 0 for one that is not, and where the
            number of samples is unknown.
        activity_below: the unit responds to less than this share of samples, with 95% confidence; None without samples.
            The rule of three (Hanley & Lippman-Hand 1983): 3 over the samples.
    """

    unit: int
    state: LifeState
    since_step: int
    revivals: int
    samples: int = 0
    activity_below: float | None = None


class UnitHistory:
    """What is known of `units` units after any number of observed steps, in memory that does not grow.

    A unit is silent at a step when its activity is exactly 0: it was zero on every sample.

    Attributes:
        silent_checks: `[units]` int64, observed steps in a row the unit has been silent up to now.
        silent_samples: `[units]` float64, samples (times positions) in them.
        silent_since: `[units]` int64, the first step of that silence, -1 for a unit that is active.
        last_active: `[units]` int64, the last observed step it was active at, -1 for never.
        born: `[units]` int64, the first step it was measured at, -1 for never.
        revived: `[units]` int64, the step it last came back at from a long silence, -1 for never.
        revivals: `[units]` int64.
    """

    def __init__(self, units: int) -> None:
        self.silent_checks = np.zeros(units, np.int64)
        self.silent_samples = np.zeros(units, np.float64)
        self.silent_since = np.full(units, -1, np.int64)
        self.last_active = np.full(units, -1, np.int64)
        self.born = np.full(units, -1, np.int64)
        self.revived = np.full(units, -1, np.int64)
        self.revivals = np.zeros(units, np.int64)

    def moved(self, places: NDArray[np.int64]) -> UnitHistory:
        """The same history with the units in other places: for each its place here, -1 for one without a history."""
        result, known = UnitHistory(len(places)), places >= 0
        for name, values in vars(result).items():
            values[known] = getattr(self, name)[places[known]]
        return result

    def update(self, step: int, activity: NDArray[np.float32], samples: ArrayLike) -> None:
        """Takes in one observed step.

        Args:
            step: later than those before.
            activity: `[units]` share of samples with an output other than zero; NaN leaves the unit as it was.
            samples: `[units]` or scalar, over how many samples the share was taken; NaN counts as 0.
        """
        silent, active = activity == 0, activity > 0
        back = active & (self.silent_checks >= LONG_SILENCE_CHECKS)
        self.revivals[back] += 1
        self.revived[back] = step

        self.silent_since[silent & (self.silent_checks == 0)] = step
        self.silent_checks[silent] += 1
        self.silent_samples += np.where(silent, np.nan_to_num(np.asarray(samples, np.float64)), 0)
        self.silent_checks[active] = 0
        self.silent_samples[active] = 0
        self.silent_since[active] = -1
        self.last_active[active] = step
        self.born[(silent | active) & (self.born < 0)] = step

    def lives(self) -> list[UnitLife]:
        """One life a unit, in order of the units."""
        return [self._life(unit) for unit in range(len(self.born))]

    def _life(self, unit: int) -> UnitLife:
        state, since = self._state(unit)
        samples = int(self.silent_samples[unit])
        bound = min(1.0, 3 / samples) if samples else None
        return UnitLife(unit, state, since, int(self.revivals[unit]), samples, bound)

    def _state(self, unit: int) -> tuple[LifeState, int]:
        if self.silent_checks[unit] >= LONG_SILENCE_CHECKS:
            return "died" if self.last_active[unit] >= 0 else "born_dead", int(self.silent_since[unit])
        if self.last_active[unit] < 0:
            return "unknown", max(int(self.born[unit]), 0)
        if self.revivals[unit]:
            return "revived", int(self.revived[unit])
        return "alive", int(self.born[unit])


def unit_lives(
    steps: NDArray[np.int64], activity: NDArray[np.float32], samples: NDArray[np.floating] | None = None
) -> list[UnitLife]:
    """The lives of a layer's units over a stored run.

    Args:
        steps: `[steps]`, ascending; may be empty, which leaves every unit unknown.
        activity: `[steps, units]` in [0, 1], NaN where a unit was not measured.
        samples: `[steps]`, over how many samples each share was taken, NaN for unknown; None for unknown throughout.

    Raises:
        ValueError: the shapes do not fit each other.
    """
    if activity.ndim != 2 or steps.shape != activity.shape[:1]:
        raise ValueError(f"activity must be [steps, units] for {len(steps)} steps, got shape {activity.shape}")
    history = UnitHistory(activity.shape[1])
    counts = np.zeros(len(steps)) if samples is None else samples
    for step, row, count in zip(steps.tolist(), activity, counts, strict=True):
        history.update(step, row, count)
    return history.lives()
