from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tb_activations.records.unit_lives import LONG_SILENCE_CHECKS, UnitHistory, UnitLife, unit_lives

ACTIVITY = st.sampled_from([0.0, 0.001, 0.5, 1.0, float("nan")])


def lives_of(*activity: float) -> UnitLife:
    """The life of one unit observed at steps 10, 20, ..."""
    steps = np.arange(10, 10 * (len(activity) + 1), 10)
    return unit_lives(steps, np.array(activity, np.float32)[:, None])[0]


@pytest.mark.parametrize(
    ("activity", "state", "since", "revivals"),
    [
        ((0, 0, 0, 0), "born_dead", 10, 0),
        ((1, 0.5, 0, 0, 0), "died", 30, 0),
        ((1, 0, 0, 0, 1), "revived", 50, 1),
        ((1, 0, 0, 0, 1, 0, 0, 0), "died", 60, 1),
        ((0, 0, 0, 1, 1), "revived", 40, 1),
        ((1, 0, 1, 0, 0), "alive", 10, 0),
        ((0, 0), "unknown", 10, 0),
        ((np.nan, np.nan, np.nan), "unknown", 0, 0),
        ((np.nan, 0, 0, np.nan, 0), "born_dead", 20, 0),
    ],
)
def test_states(activity: tuple[float, ...], state: str, since: int, revivals: int) -> None:
    assert lives_of(*activity) == UnitLife(0, state, since, revivals)  # type: ignore[arg-type]


def test_no_step_leaves_every_unit_unknown() -> None:
    lives = unit_lives(np.zeros(0, np.int64), np.zeros((0, 3), np.float32))
    assert [life.state for life in lives] == ["unknown"] * 3


def test_mismatched_shapes_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"\[steps, units\] for 2 steps, got shape \(3, 4\)"):
        unit_lives(np.arange(2), np.zeros((3, 4), np.float32))


@given(arrays(np.float32, st.tuples(st.integers(0, 12), st.integers(1, 4)), elements=ACTIVITY))
def test_states_agree_with_a_simple_reference(activity: NDArray[np.float32]) -> None:
    steps = np.arange(len(activity), dtype=np.int64) * 7
    for life, column in zip(unit_lives(steps, activity), activity.T, strict=True):
        measured = [(int(step), value > 0) for step, value in zip(steps, column, strict=True) if not np.isnan(value)]
        runs: list[list[tuple[int, bool]]] = []
        for entry in measured:
            if runs and runs[-1][0][1] == entry[1]:
                runs[-1].append(entry)
            else:
                runs.append([entry])
        long_silences = [not run[0][1] and len(run) >= LONG_SILENCE_CHECKS for run in runs]
        assert life.revivals == sum(long_silences[:-1])
        if not any(is_active for _, is_active in measured):
            assert life.state == ("born_dead" if len(measured) >= LONG_SILENCE_CHECKS else "unknown")
        elif long_silences[-1]:
            assert (life.state, life.since_step) == ("died", runs[-1][0][0])
        else:
            assert life.state == ("revived" if life.revivals else "alive")


@given(arrays(np.float32, (9, 3), elements=ACTIVITY))
def test_samples_of_a_silence_add_up(activity: NDArray[np.float32]) -> None:
    history = UnitHistory(3)
    for step, row in enumerate(activity):
        history.update(step, row, 32)
    np.testing.assert_array_equal(history.silent_samples, 32 * history.silent_checks)
    assert np.all((history.silent_since >= 0) == (history.silent_checks > 0))


def test_more_silent_samples_give_more_confidence() -> None:
    steps = np.arange(5, dtype=np.int64)
    activity = np.array([[0.5, 0, 0.5], [0, 0, 0.5], [0, 0, 0.5], [0, 0, 0.5], [0, 0, 0.5]], np.float32)
    died, born_dead, alive = unit_lives(steps, activity, np.full(5, 100.0))
    assert (died.state, died.samples, died.activity_below) == ("died", 400, 3 / 400)
    assert (born_dead.samples, born_dead.activity_below) == (500, 3 / 500)
    assert (alive.samples, alive.activity_below) == (0, None)
    assert unit_lives(steps, activity)[0].activity_below is None
