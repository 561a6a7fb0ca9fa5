"""What a type checker knows of `load`: `make lint` checks the types here, and the tests that they are true."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_activations import RecordedRun, Runs, load, runs
from tests.synthetic import Plan, write_run

PLAN = Plan(layers=5, steps=3, units=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    for name in ("a", "b"):
        write_run(folder, name=name, plan=PLAN)
    return folder


def test_a_named_run_is_a_run(folder: Path) -> None:
    found = load(folder, "a")
    assert_type(found, RecordedRun)
    assert_type(found.stat("mean"), NDArray[np.float32])
    assert isinstance(found, RecordedRun)


def test_a_single_run_needs_no_check(folder: Path) -> None:
    found = load(folder / "a")
    assert found.stat("mean").shape == (3, 5)
    with pytest.raises(AttributeError):
        # Without a type for the run, a type checker would not see this mistake.
        found.sta  # type: ignore[union-attr]  # noqa: B018


def test_several_runs_are_a_mapping_after_a_check(folder: Path) -> None:
    found = load(folder)
    assert isinstance(found, Runs)
    assert_type(found["a"], RecordedRun)
    assert [run.name for run in found.values()] == ["a", "b"]


def test_the_runs_of_a_folder_have_a_type_of_their_own(folder: Path) -> None:
    for stored in runs(folder):
        assert_type(stored.load(), RecordedRun)
