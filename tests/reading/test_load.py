"""`tb_activations.load`: runs, folders of runs and files, whole, partial and growing; other writers; data frames."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations import Runs, load
from tb_activations.events.record_file import framed
from tb_activations.records.columns import LAYER_COLUMNS, WEIGHT_COLUMNS
from tests.synthetic import Plan, write_events, write_newer_schema, write_run

PLAN = Plan(layers=5, steps=12, units=3, pictures=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder, name="a", plan=PLAN)
    write_run(folder, name="b", plan=PLAN, seed=1, sick=False)
    return folder


def write_other(folder: Path, *values: float) -> None:
    """What an old writer leaves: scalars as plain numbers."""
    summaries = [Summary(value=[Summary.Value(tag="accuracy", simple_value=value)]) for value in values]
    write_events(folder, [Event(step=step, wall_time=step, summary=one) for step, one in enumerate(summaries)], 7.0)


def test_a_folder_of_runs_is_a_mapping(folder: Path) -> None:
    runs = load(folder)
    assert isinstance(runs, Runs)
    assert list(runs) == ["a", "b"]
    np.testing.assert_array_equal(runs["b"].layer_table, load(folder, "b").layer_table)
    lines = repr(runs).splitlines()
    assert lines[0] == f"<2 runs in {folder}>"
    assert lines[1] == f"  a: {runs['a'].verdict.sentence}"
    with pytest.raises(KeyError, match=r"no run 'c' in .*; the runs are a, b"):
        runs["c"]
    with pytest.raises(AttributeError, match=r"'stat' belongs to a run, .* choose one: \['a'\], \['b'\]"):
        runs.stat("mean")


def test_runs_that_cannot_be_read_are_listed_with_the_reason(tmp_path: Path) -> None:
    write_run(tmp_path, name="a", plan=PLAN)
    write_newer_schema(tmp_path, "newer")
    runs = load(tmp_path)
    assert "newer: cannot be read: the run has schema version 99" in repr(runs)
    assert "cannot be read" in runs._repr_html_()


def test_a_single_event_file_is_a_run(folder: Path) -> None:
    (file,) = (folder / "a").iterdir()
    run = load(file)
    assert (run.name, run.path) == ("a", file)
    np.testing.assert_array_equal(run.layer_table, load(folder / "a").layer_table)
    assert run.scalar_tags == load(folder / "a").scalar_tags


def test_a_file_of_another_writer_is_no_run(tmp_path: Path) -> None:
    write_other(tmp_path, 0.5)
    (file,) = tmp_path.iterdir()
    with pytest.raises(FileNotFoundError, match="has no Layer Health records"):
        load(file)


def test_a_file_that_is_being_written_is_read_as_far_as_it_goes(folder: Path, tmp_path: Path) -> None:
    whole = next((folder / "a").iterdir()).read_bytes()
    file = tmp_path / "events.out.tfevents.1.x"
    seen = []
    for share in (0.5, 0.8, 1.0):
        file.write_bytes(whole[: int(share * len(whole))])
        run = load(tmp_path)
        seen.append(len(run.steps))
        assert any("is incomplete" in remark for remark in run.remarks) == (share < 1)
    assert 0 < seen[0] < seen[1] < seen[2] == 12


def test_damage_is_a_remark_and_a_warning(folder: Path, tmp_path: Path) -> None:
    content = bytearray(next((folder / "a").iterdir()).read_bytes())
    content[len(content) * 2 // 3] ^= 1
    (tmp_path / "events.out.tfevents.1.x").write_bytes(content)
    with pytest.warns(UserWarning, match="is damaged"):
        run = load(tmp_path)
    assert 0 < len(run.steps) < 12
    assert "is damaged; read up to there" in run.remarks[0]
    assert "data issue: " in repr(run)
    assert "Data issue: " in run._repr_html_()


def test_epochs_are_numbers(folder: Path) -> None:
    run = load(folder, "a")
    np.testing.assert_array_equal(run.epochs, run.step_stat("epoch"))
    assert run.epochs.dtype == np.int64


def test_scalars_and_images_of_this_package_are_read_by_tag(folder: Path) -> None:
    run = load(folder, "a")
    steps, wall_times, values = run.scalars("gradient_norm/dense_0")
    np.testing.assert_array_equal(steps, run.steps)
    np.testing.assert_array_equal(wall_times, run.wall_times)
    np.testing.assert_array_equal(values, run.stat("weight_gradient_norm")[:, 0].astype(np.float64))
    tag = run.image_tags[0]
    stored = run.images(tag)[0]
    assert stored.step in run.steps
    assert Image.open(io.BytesIO(stored.content)).size[0] > 0


def test_scalars_of_other_writers_are_read_from_the_folder_and_below(folder: Path, tmp_path: Path) -> None:
    write_run(tmp_path, plan=PLAN)
    write_other(tmp_path, 0.25, 0.5)
    write_other(tmp_path / "train", 0.75)
    run = load(tmp_path)
    assert "accuracy" in run.scalar_tags
    assert run.scalars("accuracy").values.tolist() == [0.25, 0.5]
    assert run.scalars("accuracy", folder="train").values.tolist() == [0.75]
    with pytest.raises(KeyError, match=r"no scalars 'loss' in .*train; they are accuracy"):
        run.scalars("loss", folder="train")
    with pytest.raises(KeyError, match=r"no images 'x' in .*train; there are none"):
        run.images("x", folder="train")


@pytest.mark.parametrize("table", ["layers", "weights", "steps"])
def test_a_table_becomes_a_data_frame(folder: Path, table: str) -> None:
    run = load(folder, "a")
    frame = run.to_dataframe(table)  # type: ignore[arg-type]
    rows = {"layers": run.layers, "weights": run.weights, "steps": ("",)}[table]
    assert len(frame) == len(run.steps) * len(rows)
    assert frame["step"].tolist() == np.repeat(run.steps, len(rows)).tolist()
    if table == "layers":
        of_one = frame[frame["layer"] == "dense_1"]
        for name in LAYER_COLUMNS:
            np.testing.assert_array_equal(of_one[name], run.stat(name)[:, 1])
    elif table == "weights":
        assert frame.columns.tolist() == ["step", "epoch", "wall_time", "weight", *WEIGHT_COLUMNS]
    else:
        np.testing.assert_array_equal(frame["loss"], run.step_stat("loss"))


def test_another_table_is_an_error(folder: Path) -> None:
    with pytest.raises(ValueError, match="table must be one of layers, weights, steps, got 'units'"):
        load(folder, "a").to_dataframe("units")  # type: ignore[arg-type]


def test_a_record_of_which_only_the_length_is_written_is_unfinished(folder: Path, tmp_path: Path) -> None:
    whole = next((folder / "a").iterdir()).read_bytes()
    (tmp_path / "events.out.tfevents.1.x").write_bytes(whole + framed(bytes(100))[:12])
    assert len(load(tmp_path).steps) == 12
    assert len(load(tmp_path).remarks) == 1
