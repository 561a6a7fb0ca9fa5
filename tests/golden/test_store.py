"""A golden is small, has no clock and no host, and its summary differs where the run differs."""

from __future__ import annotations

import dataclasses
import difflib
from pathlib import Path

import numpy as np
import pytest

from tb_activations.comparison.tolerance import Tolerances
from tb_activations.events.errors import SchemaError
from tb_activations.events.reader import load
from tb_activations.events.run import Run
from tb_activations.golden.check import Golden
from tb_activations.golden.store import EVENT_FILE, LARGEST, SUMMARY, as_golden, write_golden
from tb_activations.testing import compare
from tests.synthetic import START_TIME, Plan, write_newer_schema, write_run


def synthetic(folder: Path, seed: int = 0, **plan: int) -> Run:
    write_run(folder, plan=Plan(**{"layers": 6, "steps": 12, "units": 3, **plan}), seed=seed)  # type: ignore[arg-type]
    return load(folder)


def test_a_golden_is_the_run_without_units_and_histograms(tmp_path: Path) -> None:
    run = synthetic(tmp_path / "run")
    write_golden(run, tmp_path / "golden", "a test")
    golden = load(tmp_path / "golden")
    assert golden.spec == run.spec
    for name in ("steps", "layer_table", "weight_table", "step_table", "outcomes"):
        np.testing.assert_array_equal(getattr(golden, name), getattr(run, name))
    assert compare(golden, run, Tolerances.of(0, 0), include=["findings"]).is_equal


def test_the_same_run_at_another_time_gives_the_same_bytes(tmp_path: Path) -> None:
    for side, time in (("a", START_TIME), ("b", 1.0)):
        write_run(tmp_path / side, plan=Plan(layers=4, steps=3), start_time=time)
        write_golden(load(tmp_path / side), tmp_path / "golden" / side, "a test")
    for name in (EVENT_FILE, SUMMARY):
        assert (tmp_path / "golden/a" / name).read_bytes() == (tmp_path / "golden/b" / name).read_bytes()


def test_a_network_of_fifty_layers_fits_and_keeps_its_first_and_last_steps(tmp_path: Path) -> None:
    run = synthetic(tmp_path / "run", layers=50, steps=60, units=64)
    write_golden(run, tmp_path / "golden", "a test")
    size = sum(path.stat().st_size for path in (tmp_path / "golden").iterdir())
    assert LARGEST / 2 < size <= LARGEST
    golden = load(tmp_path / "golden")
    assert len(golden.steps) < 60
    assert golden.steps[:4].tolist() == run.steps[:4].tolist()
    assert golden.steps[-1] == run.steps[-1]
    assert compare(golden, as_golden(golden, run), Tolerances.of(0, 0)).is_equal


def test_epochs_of_other_lengths_are_compared_by_their_last_step(tmp_path: Path) -> None:
    run = synthetic(tmp_path / "run", steps=20)
    write_golden(run, tmp_path / "golden", "a test", "epoch")
    golden = load(tmp_path / "golden")
    assert golden.epochs.tolist() == np.unique(run.epochs).tolist()
    other = synthetic(tmp_path / "other", steps=20, interval=7)
    assert compare(golden, as_golden(golden, other, "epoch"), Tolerances.of(0, 0), match="epoch").is_equal


def test_steps_that_a_longer_training_adds_differ(tmp_path: Path) -> None:
    write_golden(synthetic(tmp_path / "run", sick=False), tmp_path / "golden", "a test")
    longer = synthetic(tmp_path / "longer", steps=13, sick=False)
    golden = load(tmp_path / "golden")
    found = compare(golden, as_golden(golden, longer)).differences
    assert "observed step" in {difference.what for difference in found}


def test_the_summary_of_another_layer_differs_in_the_lines_of_this_layer(tmp_path: Path) -> None:
    run = synthetic(tmp_path / "run")
    table = run.layer_table.copy()
    table[:, 2] *= 1.5
    for name, one in {"a": run, "b": dataclasses.replace(run, layer_table=table)}.items():
        write_golden(one, tmp_path / name, "a test")
    before, after = ((tmp_path / name / SUMMARY).read_text("utf-8").splitlines() for name in ("a", "b"))
    changed = [
        line for line in difflib.unified_diff(before, after, n=0, lineterm="") if line.startswith(("-  ", "+  "))
    ]
    assert len(changed) == 6
    place = before.index(changed[0][1:])
    assert any("layer dense_2" in line for line in before[place - 3 : place])


def test_the_summary_names_verdict_findings_and_versions(tmp_path: Path) -> None:
    write_golden(synthetic(tmp_path / "run"), tmp_path / "golden", "tests/test_a.py::test_b")
    lines = (tmp_path / "golden" / SUMMARY).read_text("utf-8").splitlines()
    assert lines[0] == "tests/test_a.py::test_b"
    assert any(line.startswith("verdict: ") and "dense_2" in line for line in lines)
    assert any(line.startswith("finding: problem, dense_2: ") for line in lines)
    assert "tb_activations: 0.0.0" in lines


def test_the_summary_names_what_layers_and_optimizer_were_made_with(tmp_path: Path) -> None:
    run = synthetic(tmp_path / "run")
    first = dataclasses.replace(run.spec.layers[0], config={"units": 3, "kernel_initializer": "zeros", "rate": 0.2})
    spec = dataclasses.replace(
        run.spec, layers=(first, *run.spec.layers[1:]), optimizer={"class_name": "SGD", "momentum": 0.9}
    )
    write_golden(dataclasses.replace(run, spec=spec), tmp_path / "golden", "a test")
    lines = (tmp_path / "golden" / SUMMARY).read_text("utf-8").splitlines()
    assert "optimizer: SGD, momentum 0.9" in lines
    assert any(
        line.startswith("layer dense_0: ") and line.endswith(", kernel_initializer zeros, rate 0.2") for line in lines
    )
    assert load(tmp_path / "golden").spec == spec


def test_a_golden_that_matches_is_not_written_again(tmp_path: Path) -> None:
    synthetic(tmp_path / "run")
    golden = Golden(tmp_path / "golden", "a test", Tolerances())
    assert golden.update(tmp_path / "run")
    assert not golden.update(tmp_path / "run")
    synthetic(tmp_path / "other", seed=1)
    assert golden.update(tmp_path / "other")
    assert golden.failure(tmp_path / "other", None) == ""


def test_a_golden_that_cannot_be_read_is_replaced(tmp_path: Path) -> None:
    synthetic(tmp_path / "run")
    golden = Golden(tmp_path / "golden", "a test", Tolerances())
    write_newer_schema(tmp_path, "golden").rename(tmp_path / "golden" / EVENT_FILE)
    with pytest.raises(SchemaError):
        golden.failure(tmp_path / "run", None)
    assert golden.update(tmp_path / "run")
    assert golden.failure(tmp_path / "run", None) == ""


def test_only_findings_can_be_included(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="include may have only 'findings', got 'units'"):
        Golden(tmp_path, "a test", Tolerances(), include=("units",))
