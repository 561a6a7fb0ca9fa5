"""How far a run has come: its steps, numbered across trainings, and the states it has been in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tb_activations.events.states import StoredState, digest, sample
from tb_activations.recording.continuation import Past, TrainingState

SAMPLE_GROWTH = 1.1
"""A sample of the weights is stored again when a run has this many times the steps, so that long runs stay small."""

_NO_SAMPLE = np.zeros(0, np.float32)


class Steps:
    """Steps and states of one run.

    Attributes:
        first_step: number in the run of the first step of this training.
        last_step: number in the run of the last recorded step, -1 before the first.
        shift: what is added to a step of this training to give the step of the run.
        states: those stored so far, in the order of their steps.
    """

    def __init__(self) -> None:
        self.first_step = self.shift = 0
        self.last_step = -1
        self.states: list[StoredState] = []
        self._ahead = 0
        self._start = (0, "")
        self._describe_from: int | None = None
        self._has_unwritten_states = False

    def open(self, first_step: int, at: int | None, state: TrainingState, stored: Sequence[StoredState] | None) -> None:
        """Begins a training.

        Args:
            first_step: as the training counts.
            at: the step of the run where it continues the run; None for a new run.
            state: of the model before the first step.
            stored: the states of a run that was read from its folder; None where it is the one at hand.
        """
        self.first_step = self._describe_from = first_step if at is None else at
        self.shift, self._ahead = self.first_step - first_step, self.first_step - state.number
        if at is None:
            self.states = []
            self._start = (state.iterations, digest(state.weights) if state.weights is not None else "")
            self.remember(state)
            self._has_unwritten_states = True
        elif stored is not None:
            self.states = [one for one in stored if one.step <= at]
            self._start = (stored[0].start_iterations, stored[0].start_digest) if stored else (0, "")

    def advance(self, step: int) -> int | None:
        """The number in the run of a step of this training; None if the run is already past it.

        A step comes again where an optimizer skipped its update.
        """
        number = step + self.shift
        if number <= self.last_step:
            return None
        self.last_step = number
        return number

    def described_from(self, step: int) -> int:
        """The step from which the description written at this one is valid: the first of a new training."""
        first, self._describe_from = self._describe_from, None
        return step if first is None else min(step, first)

    def unwritten_states(self) -> list[StoredState]:
        """The states of a new run from before it was described; empty from the second call on."""
        states = list(self.states) if self._has_unwritten_states else []
        self._has_unwritten_states = False
        return states

    def past(self) -> Past:
        return Past(self.states, self.last_step)

    def remember(self, state: TrainingState) -> StoredState | None:
        """The state in the form to be stored; None if it is stored already, or if there are no weights."""
        if state.weights is None:
            return None
        step, known = max(0, state.number + self._ahead), digest(state.weights)
        if self.states and (self.states[-1].step, self.states[-1].digest) == (step, known):
            if self.states[-1].is_end or not state.is_end:
                return None
        sampled = max((one.step for one in self.states if len(one.sample)), default=-1.0)
        is_due = step >= sampled * SAMPLE_GROWTH + 1 or sampled < 0
        kept = sample(state.weights) if is_due else _NO_SAMPLE
        stored = StoredState(state.iterations, step, known, *self._start, kept, state.is_end)
        self.states.append(stored)
        return stored
