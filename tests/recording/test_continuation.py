"""Which trainings continue a run, decided from stored states alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tb_activations.recording.continuation import Past, TrainingState, continued_at
from tb_activations.recording.steps import Steps

Array = NDArray[np.float32]
SIZE = 1024
EPOCH = 10


def weights(seed: int, size: int = SIZE) -> Array:
    """Initial weights: random kernels, biases 0, scales 1."""
    drawn = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    drawn[::8], drawn[1::8] = 0, 1
    return drawn


def trained(initial: Array, steps: int) -> Array:
    """The weights after some steps, each of which changes every weight by about 1% of its size."""
    moves = np.random.default_rng(99).normal(size=len(initial)).astype(np.float32)
    return initial + np.float32(0.01 * steps) * moves


def recorded(initial: Array, epochs: int = 3, moves: bool = True) -> Past:
    """The history of a run: states at its start and at the ends of its epochs."""
    course = Steps()
    course.open(0, None, TrainingState(0, initial), None)
    for epoch in range(1, epochs + 1):
        steps = epoch * EPOCH
        course.remember(TrainingState(steps, trained(initial, steps) if moves else initial))
    return past_at(course, epochs * EPOCH - 1)


def past_at(course: Steps, last_step: int) -> Past:
    course.last_step = last_step
    return course.past()


ONE = weights(0)
PAST = recorded(ONE)


def test_a_model_with_other_weights_is_another_training() -> None:
    assert continued_at(TrainingState(0, weights(1)), PAST) is None


def test_the_same_program_run_again_is_another_training() -> None:
    assert continued_at(TrainingState(0, ONE), PAST) is None


def test_the_same_program_is_another_training_even_if_it_changes_nothing() -> None:
    assert continued_at(TrainingState(0, ONE), recorded(ONE, moves=False)) is None


def test_weights_that_do_not_exist_yet_continue_nothing() -> None:
    assert continued_at(TrainingState(0, None), PAST) is None
    assert continued_at(TrainingState(7, None), PAST) is None


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_checkpoint_continues_at_the_steps_of_its_optimizer(epoch: int) -> None:
    steps = epoch * EPOCH
    assert continued_at(TrainingState(steps, trained(ONE, steps)), PAST) == steps


def test_a_checkpoint_between_two_stored_states_continues_too() -> None:
    assert continued_at(TrainingState(15, trained(ONE, 15)), PAST) == 15
    # Trained further without being recorded.
    assert continued_at(TrainingState(40, trained(ONE, 40)), PAST) == 40


def test_weights_without_the_optimizer_continue_after_the_last_step() -> None:
    assert continued_at(TrainingState(0, trained(ONE, 2 * EPOCH)), PAST) == 3 * EPOCH


def test_steps_that_were_not_observed_count() -> None:
    sparse = Past(PAST.states, 24)
    assert continued_at(TrainingState(0, trained(ONE, 3 * EPOCH)), sparse) == 30
    assert continued_at(TrainingState(0, trained(ONE, 3 * EPOCH), is_same_model=True), sparse) == 30
    assert continued_at(TrainingState(0, trained(ONE, 77), is_same_model=True), sparse) == 30


def test_another_trained_model_does_not_continue() -> None:
    assert continued_at(TrainingState(20, trained(weights(1), 20)), PAST) is None
    assert continued_at(TrainingState(20, weights(1)[:-8]), PAST) is None


def test_a_checkpoint_of_a_training_that_changes_nothing_continues() -> None:
    assert continued_at(TrainingState(20, ONE), recorded(ONE, moves=False)) == 20


def test_the_same_model_object_continues_after_changes() -> None:
    moved = trained(ONE, 200)
    assert continued_at(TrainingState(30, moved, is_same_model=True), PAST) == 30
    assert continued_at(TrainingState(35, moved, is_same_model=True), PAST) == 35
    # Compiled again.
    assert continued_at(TrainingState(0, moved, is_same_model=True), PAST) == 30
    # Layers were added.
    assert continued_at(TrainingState(0, weights(5, 64), is_same_model=True), PAST) == 30


def test_the_same_model_reset_to_its_initial_weights_is_another_training() -> None:
    for iterations in (0, 30):
        assert continued_at(TrainingState(iterations, ONE, is_same_model=True), PAST) is None


def test_the_same_model_reset_to_a_checkpoint_repeats_its_steps() -> None:
    assert continued_at(TrainingState(20, trained(ONE, 20), is_same_model=True), PAST) == 20
    assert continued_at(TrainingState(17, trained(ONE, 17), is_same_model=True), PAST) == 17


def test_a_checkpoint_continues_at_its_step_after_a_new_compile() -> None:
    course = Steps()
    course.open(0, None, TrainingState(0, ONE), None)
    course.remember(TrainingState(EPOCH, trained(ONE, EPOCH)))
    course.open(0, EPOCH, TrainingState(0, trained(ONE, EPOCH)), None)
    assert (course.first_step, course.shift) == (EPOCH, EPOCH)
    course.remember(TrainingState(EPOCH, trained(ONE, 2 * EPOCH)))
    past = past_at(course, 2 * EPOCH - 1)
    assert continued_at(TrainingState(EPOCH, trained(ONE, 2 * EPOCH)), past) == 2 * EPOCH
    assert continued_at(TrainingState(EPOCH, trained(ONE, EPOCH)), past) == EPOCH


@pytest.mark.parametrize(("iterations", "step"), [(0, None), (5, 1000), (1000, 1000), (1050, 1050), (5000, None)])
def test_a_run_without_states_is_continued_by_its_number_of_steps(iterations: int, step: int | None) -> None:
    assert continued_at(TrainingState(iterations, ONE), Past((), 999)) == step


def test_states_of_another_version_or_damaged_ones_continue_nothing() -> None:
    lost = [dataclasses.replace(one, sample=np.full(3, np.nan, np.float32)) for one in PAST.states]
    assert continued_at(TrainingState(15, trained(ONE, 15)), Past(lost, 29)) is None


def test_nan_equals_itself() -> None:
    broken = np.where(np.arange(SIZE) % 3 == 0, np.nan, ONE).astype(np.float32)
    course = Steps()
    course.open(0, None, TrainingState(0, ONE), None)
    course.remember(TrainingState(10, broken))
    assert continued_at(TrainingState(10, broken), past_at(course, 9)) == 10
    assert continued_at(TrainingState(11, np.full(SIZE, np.nan, np.float32)), past_at(course, 9)) is None


def test_the_end_is_remembered_once_even_if_the_state_is_stored_already() -> None:
    course, end = Steps(), TrainingState(10, trained(ONE, 10))
    course.open(0, None, TrainingState(0, ONE), None)
    assert course.remember(end) is not None
    for expected in (True, None):
        stored = course.remember(dataclasses.replace(end, is_end=True))
        assert (stored and stored.is_end) is expected
    assert course.remember(end) is None
    assert continued_at(TrainingState(10, trained(ONE, 10)), past_at(course, 9)) == 10


def test_long_runs_keep_few_samples() -> None:
    course = Steps()
    course.open(0, None, TrainingState(0, ONE), None)
    for epoch in range(1, 2001):
        course.remember(TrainingState(epoch, trained(ONE, epoch)))
    sampled = [len(state.sample) for state in course.states if len(state.sample)]
    assert len(course.states) == 2001
    assert len(sampled) < 80
    assert set(sampled) == {256}


@given(seed=st.integers(1, 10_000), steps=st.integers(1, 60), size=st.sampled_from([64, 256, 1024, 1500]))
def test_independent_models_never_continue_each_other(seed: int, steps: int, size: int) -> None:
    past = recorded(weights(0, size))
    other = trained(weights(seed, size), steps)
    assert continued_at(TrainingState(steps, other), past) is None


@given(epochs=st.integers(1, 6), steps=st.integers(1, 70), seed=st.integers(0, 1000))
def test_a_resumed_model_continues_at_its_own_step(epochs: int, steps: int, seed: int) -> None:
    initial = weights(seed)
    assert continued_at(TrainingState(steps, trained(initial, steps)), recorded(initial, epochs)) == steps


@given(
    iterations=st.integers(0, 10**9),
    values=st.none() | st.lists(st.floats(width=32), max_size=40),
    is_same=st.booleans(),
    epochs=st.integers(0, 4),
)
def test_every_input_gets_a_decision(iterations: int, values: list[float] | None, is_same: bool, epochs: int) -> None:
    state = TrainingState(iterations, None if values is None else np.array(values, np.float32), is_same)
    at = continued_at(state, recorded(weights(3, 40), epochs))
    assert at is None or at >= 0
