"""Cells over time in event files, in a loaded run, and in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_activations import load
from tb_activations.events.sequences import NO_SEQUENCES, Sequences, moved, steps_per_bin, stored, table_of
from tb_activations.events.series import Point
from tests.synthetic import write_run


def reading(length: int, gradient: Any) -> str:
    given = np.array([gradient], np.float32)
    return Sequences(np.array([0]), np.array([length]), given, given).reading(0)


@pytest.mark.parametrize(
    ("length", "gradient", "expected"),
    [
        (
            4,
            [1e-4, 1e-3, 1e-2, 1],
            "The gradient at the first time step is 1e-4 times that at the last one; half of its squared norm comes "
            "from the last 1 of 4 steps.",
        ),
        (
            4,
            [2, 2, 2, 1],
            "The gradient at the first time step is 2 times that at the last one; half of its squared norm comes from "
            "the last 3 of 4 steps.",
        ),
        (
            128,
            [1e-30] * 63 + [1e-29],
            "The gradient at the first 2 time steps is 0.1 times that at the last 2; half of its squared norm comes "
            "from the last 2 of 128 steps.",
        ),
        (
            3,
            [0, 1, 1],
            "No gradient reaches the first time step; half of its squared norm comes from the last 1 of 3 steps.",
        ),
        (
            3,
            [np.nan, 3, 3],
            "The gradient at the first time step is 1 times that at the last one; half of its squared norm comes from "
            "the last 1 of 2 steps.",
        ),
        (2, [1, 0], "The gradient at the last time step is 0."),
        (2, [0, 0], "No gradient reaches any time step."),
        (2, [np.nan, np.inf], "No gradient was measured over time."),
    ],
)
def test_one_sentence_tells_how_far_back_the_gradient_reaches(length: int, gradient: Any, expected: str) -> None:
    assert reading(length, gradient) == expected


@pytest.mark.parametrize("length", [0, 1, 64, 65, 80, 128, 1000])
def test_bins_hold_all_time_steps(length: int) -> None:
    times = np.arange(length)
    bins = times if length <= 64 else times * 64 // length
    np.testing.assert_array_equal(steps_per_bin(length), np.bincount(bins, minlength=64))


def test_a_run_tells_its_cells_over_time(tmp_path: Path) -> None:
    write_run(tmp_path, recurrent=True, steps=30)
    run = load(tmp_path)
    found = run.sequences("dense_0")
    assert found.steps.tolist() == [0, 100, 200]
    assert found.length.tolist() == [80] * 3
    assert found.activity.shape == found.gradient.shape == (3, 64)
    assert found.gradient[:, -1] == pytest.approx(0.01)
    assert found.gradient[0, 0] > found.gradient[-1, 0]
    np.testing.assert_array_equal(run.sequences("dense_1").gradient, found.gradient)
    assert run.at([0]).sequences("dense_0").steps.tolist() == [0]
    with pytest.raises(KeyError, match="'dense_2' was not measured over time; measured over time are dense_0"):
        run.sequences("dense_2")
    with pytest.raises(KeyError, match="nobody"):
        run.sequences("nobody")


def test_a_run_without_cells_says_so(tmp_path: Path) -> None:
    write_run(tmp_path, steps=3)
    with pytest.raises(KeyError, match="the run has no recurrent layer, or no histograms"):
        load(tmp_path).sequences("dense_0")


def test_only_cells_are_stored_and_found_again_in_other_rows() -> None:
    values = np.full((3, 129), np.nan, np.float32)
    values[1], values[2] = 5, 6
    table = stored(values)
    assert table[:, :2].tolist() == [[1, 5], [2, 6]]
    there = moved(table, np.array([2, -1, 0]))
    assert there is not None
    assert there[:, :2].tolist() == [[0, 6]]


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((1, 130), np.float64),
        np.zeros((1, 129), np.float32),
        np.full((1, 130), -1, np.float32),
        np.full((1, 130), 0.5, np.float32),
        np.full((1, 130), np.nan, np.float32),
        np.full((1, 130), 3, np.float32),
        np.zeros((2, 130), np.float32),
        np.empty(0, object),
    ],
)
def test_what_does_not_fit_is_skipped(value: Any) -> None:
    assert table_of([Point(0, 0.0, value)], layers=3) == (NO_SEQUENCES, 1)
