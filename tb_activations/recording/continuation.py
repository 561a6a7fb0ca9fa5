"""Whether a training continues a recorded run, and at which step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.run import Run
from tb_activations.events.states import StoredState, digest, sample

LEAST_LIKENESS = 0.5
"""Correlation of weights between two states of one training. Independently initialized ones correlate by 0, a distance
of sqrt(2) times their size; 0.5 is a distance of once their size. Of small networks trained by Adam and SGD, two states
a factor of 2 apart in steps correlated by 0.8 to 1, those of independent ones by -0.14 to 0.36."""
_CHANCE = 4.0
"""Standard deviations by which few independent weights may correlate by chance: 1 / sqrt(their number) is one."""
_NEIGHBORS = 4
"""How many stored states a training is compared with: those with the nearest numbers of iterations."""
_FEW_STEPS = 100
"""Without stored states a training may be this many steps past the last record of the run."""
_REPEATED = 2
"""A value that occurs more often in a sample is a constant initial value, and identifies nothing."""


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingState:
    """The state of a training between two steps.

    Attributes:
        iterations: of the optimizer, or the number of steps of a training without one.
        weights: `fingerprint` of all weights of the model; None while they have not been created.
        is_same_model: whether the model is the same object that this recording recorded last.
        next_step: number of the next step of the training; None where it is `iterations`. An optimizer that
            accumulates gradients or skips updates does not count every step.
        is_end: whether the training ends here.
    """

    iterations: int
    weights: NDArray[np.float32] | None
    is_same_model: bool = False
    next_step: int | None = None
    is_end: bool = False

    @property
    def number(self) -> int:
        """Of the next step of the training."""
        return self.iterations if self.next_step is None else self.next_step


@dataclasses.dataclass(frozen=True, eq=False)
class Past:
    """What is known of a run: its stored states in the order of steps, and the last step, -1 before the first."""

    states: Sequence[StoredState]
    last_step: int

    @property
    def next_step(self) -> int:
        """The step after all that are known to be completed, observed or not."""
        return max([self.last_step + 1, *(stored.step for stored in self.states)])


def past_of(run: Run) -> Past:
    """The past of a stored run; a run of an earlier version has no states."""
    return Past(run.states, int(run.steps[-1]) if len(run.steps) else -1)


def continued_at(state: TrainingState, past: Past) -> int | None:
    """Number in the run of the first step of a training that continues the run; None for a training that does not.

    A training continues the run if its weights are those of a stored state, except the state in which the run began:
    the same program has that state when it is run again. Weights that were restored from a checkpoint between two
    stored states, or trained in between without being recorded, are compared with the states around these iterations.
    If the optimizer keeps counting, its count gives the steps, and steps may come again; if it counts from 0 again, the
    steps come after the last one of the run.
    """
    if state.weights is None:
        return past.next_step if state.is_same_model else None
    known = digest(state.weights)
    equal = [stored for stored in past.states if stored.digest == known]
    reached = [stored for stored in equal if _is_later(stored, state)]
    if reached:
        return _step(state, past, max(reached, key=lambda stored: (stored.iterations == state.iterations, stored.step)))
    has_moved = any(stored.digest != stored.start_digest for stored in past.states)
    if equal and (has_moved or not state.is_same_model):
        return None
    if state.is_same_model:
        return _counted_on(state, past)
    if state.iterations == 0:
        return None
    if not past.states or not len(state.weights):
        slack = max(_FEW_STEPS, past.last_step // 10)
        is_near = state.iterations <= past.last_step + 1 + slack
        return max(past.last_step + 1, state.iterations) if is_near else None
    nearest = _nearest(state, past.states)
    return _step(state, past, nearest) if nearest is not None else None


def likeness(one: NDArray[np.float32], other: NDArray[np.float32], told_by: NDArray[np.bool_]) -> float:
    """Correlation of two samples over the elements that identify a training; 0 where it is undefined."""
    told_by = told_by & np.isfinite(one) & np.isfinite(other)
    if not told_by.any():
        return 0.0
    first, second = (values[told_by].astype(np.float64) for values in (one, other))
    first, second = first - first.mean(), second - second.mean()
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / size if size > 0 else 0.0


def _is_later(stored: StoredState, state: TrainingState) -> bool:
    """Whether a stored state with the weights of this training was reached by the run, not its beginning."""
    if stored.is_start:
        return False
    # If nothing is trained the weights stay the same; only the count shows progress.
    return stored.digest != stored.start_digest or 0 < stored.iterations == state.iterations


def _step(state: TrainingState, past: Past, stored: StoredState) -> int:
    if state.iterations == 0:
        return past.next_step
    return max(0, state.iterations + stored.step - stored.iterations)


def _counted_on(state: TrainingState, past: Past) -> int:
    """The next step of the same model object that was recorded last, in a state that was not stored."""
    newest = past.states[-1] if past.states else None
    step = state.iterations + (newest.step - newest.iterations if newest is not None else 0)
    if step >= past.next_step:
        return step
    nearest = _nearest(state, past.states) if state.iterations else None
    return _step(state, past, nearest) if nearest is not None else past.next_step


def _nearest(state: TrainingState, states: Sequence[StoredState]) -> StoredState | None:
    """The stored state most similar to this training's, None if all could be those of an independent training."""
    assert state.weights is not None
    present = sample(state.weights)
    kept = [stored for stored in states if len(stored.sample) == len(present)]
    if not kept:
        return None
    told_by = _telling(kept[0].sample)
    limit = max(LEAST_LIKENESS, min(0.95, _CHANCE / np.sqrt(max(1, told_by.sum()))))
    around = sorted(kept, key=lambda stored: abs(stored.iterations - state.iterations))[:_NEIGHBORS]
    best = max(around, key=lambda stored: likeness(present, stored.sample, told_by))
    return best if likeness(present, best.sample, told_by) >= limit else None


def _telling(first: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which elements of the run's first sample are random: biases and scales begin at a constant."""
    _, places, counts = np.unique(first, return_inverse=True, return_counts=True)
    is_drawn: NDArray[np.bool_] = counts[places] <= _REPEATED
    return is_drawn if is_drawn.any() else np.ones(len(first), np.bool_)
