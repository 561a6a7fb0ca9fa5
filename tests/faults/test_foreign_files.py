"""Foreign files in the folder of a run, and the ways to name the folder."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations import LayerHealth, load
from tb_activations.recording.folder import files
from tb_activations.recording.folder.path import resolved_log_dir
from tests.faults import observe
from tests.faults.conftest import Told
from tests.faults.observe import EPOCH_STEPS, SAME, at_epoch, fit, network, outcome
from tests.faults.test_writing import unprivileged

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

# The files are the point, not what is measured.
every_step = functools.partial(observe.every_step, histogram_freq=0, image_freq=0)
STEPS = list(range(4 * EPOCH_STEPS))
FOREIGN = "events.out.tfevents.1700000000.other"


def scalars(path: Path, count: int) -> None:
    with tf.io.TFRecordWriter(str(path)) as file:
        file.write(Event(wall_time=1, file_version="brain.Event:2").SerializeToString())
        for step in range(count):
            summary = Summary(value=[Summary.Value(tag="loss", simple_value=1.0)])
            file.write(Event(wall_time=2, step=step, summary=summary).SerializeToString())


def large(path: Path) -> None:
    scalars(path, 20_000)


def truncated(path: Path) -> None:
    scalars(path, 100)
    os.truncate(path, path.stat().st_size - 7)


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 300)


def link_to_nothing(path: Path) -> None:
    path.symlink_to(path.parent / "nothing")


def pipe(path: Path) -> None:
    os.mkfifo(path)


KINDS: list[Callable[[Path], object]] = [large, truncated, garbage, link_to_nothing, pipe, Path.touch, Path.mkdir]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read completely from now on."""
    read: list[str] = []
    records = files._records
    monkeypatch.setattr(files, "_records", lambda path: read.append(path) or records(path))  # type: ignore[func-returns-value]
    return read


def test_files_of_others_are_not_read_and_cost_nothing(
    log_dir: str, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkdir(log_dir)
    for number, make in enumerate(KINDS):
        make(Path(log_dir, f"{FOREIGN}{number}"))
    read = counted(monkeypatch)
    model = fit(every_step(log_dir))
    assert (read, told(), outcome(model)) == ([], [], SAME)
    # `load` reads only regular files; its complaints about others do not matter here.
    for path in Path(log_dir).glob(f"{FOREIGN}*"):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    assert load(log_dir).steps.tolist() == STEPS


def test_thousands_of_files_of_others(log_dir: str, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkdir(log_dir)
    scalars(Path(log_dir, FOREIGN), 3)
    for number in range(5000):
        os.link(Path(log_dir, FOREIGN), Path(log_dir, f"{FOREIGN}.{number}"))
    read = counted(monkeypatch)
    fit(every_step(log_dir), epochs=1)
    assert (read, told()) == ([], [])


def test_a_file_of_others_that_grows_and_one_that_appears(log_dir: str) -> None:
    os.mkdir(log_dir)
    foreign = Path(log_dir, FOREIGN)
    scalars(foreign, 10)
    callback, model = every_step(log_dir), network()
    fit(callback, at_epoch(1, lambda: scalars(foreign, 300)), model=model, epochs=2)
    scalars(Path(log_dir, "events.out.tfevents.9700000000.other"), 10)
    fit(callback, model=model, epochs=2)
    assert load(log_dir).steps.tolist() == STEPS
    # The run is continued in its own file.
    assert len(list(Path(log_dir).glob("*tfevents*"))) == 3


def test_a_file_that_may_not_be_read(told: Told) -> None:
    with unprivileged() as folder:
        path = Path(folder, FOREIGN)
        scalars(path, 10)
        path.chmod(0)
        fit(every_step(folder), epochs=1)
        path.unlink()
        assert load(folder).steps.tolist() == STEPS[:EPOCH_STEPS]
    assert told() == []


def test_of_the_run_itself_only_its_own_file_is_read(log_dir: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fit(every_step(log_dir), epochs=2)
    scalars(Path(log_dir, FOREIGN), 10)
    read = counted(monkeypatch)
    fit(every_step(log_dir), model=model, epochs=2)
    assert load(log_dir).steps.tolist() == STEPS
    assert read
    assert not any(FOREIGN in path for path in read)


def test_a_run_that_is_too_large_is_left_as_it_is(log_dir: str, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fit(every_step(log_dir), epochs=1)
    monkeypatch.setattr(files, "LARGEST_RUN", 1000)
    fit(every_step(log_dir), model=model, epochs=1)
    assert load(f"{log_dir}-2").steps.tolist() == STEPS[:EPOCH_STEPS]
    assert len(told()) == 1


def test_a_folder_behind_a_link(tmp_path: Path, log_dir: str) -> None:
    os.mkdir(tmp_path / "real")
    os.symlink(tmp_path / "real", log_dir)
    for _ in range(2):
        fit(every_step(log_dir), epochs=1)
    assert load(tmp_path / "real").steps.tolist() == STEPS[:EPOCH_STEPS]
    assert load(f"{log_dir}-2").steps.tolist() == STEPS[:EPOCH_STEPS]


def test_the_working_directory_may_change(tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(tmp_path)
    callback = every_step("run")
    model = fit(callback, at_epoch(1, lambda: os.chdir(other)), epochs=2)
    fit(callback, model=model, epochs=2)
    assert load(tmp_path / "run").steps.tolist() == STEPS
    assert (list(other.iterdir()), told()) == ([], [])


def test_a_log_dir_is_resolved_when_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert {
        given: resolved_log_dir(given) for given in ("~", "~/logs/", "/a/../b//", "file:///a/b/", "file://host/a")
    } == {
        "~": "/home/somebody",
        "~/logs/": "/home/somebody/logs",
        "/a/../b//": "/b",
        "file:///a/b/": "/a/b",
        "file://host/a": "/a",
    }
    assert resolved_log_dir("logs/run") == str(tmp_path / "logs" / "run")
    assert resolved_log_dir(Path("logs")) == str(tmp_path / "logs")
    assert resolved_log_dir("gs://bucket/run/") == "gs://bucket/run"
    assert resolved_log_dir("gs://bucket/") == "gs://bucket"
    assert resolved_log_dir("") == ""


def test_home_and_file_addresses_are_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    fit(LayerHealth("~/one"), epochs=1)
    fit(LayerHealth(f"file://{tmp_path}/two"), epochs=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_where_nothing_can_be_made_next_to_the_folder_siblings_stand_inside(told: Told) -> None:
    with unprivileged() as place:
        folder = Path(place, "run")
        folder.mkdir()
        os.chmod(place, 0o555)
        for _ in range(2):
            fit(every_step(str(folder)), epochs=1)
        assert load(folder, "run-2").steps.tolist() == load(folder, ".").steps.tolist() == STEPS[:EPOCH_STEPS]
    assert len(told()) == 1
