"""Which files are ours, and how little is read of the others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.events import files, record_file
from tb_activations.events.encoding import Encoder
from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.files import FIRST_EVENTS, event_files, folders, is_ours
from tb_activations.events.reader import load, run_names
from tests.synthetic import Plan, run_spec, write_events, write_run

PLAN = Plan(layers=4, steps=5, units=2, stock=False)
LOSS = Event(step=1, summary=Summary(value=[Summary.Value(tag="loss", simple_value=1.0)]))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of the file of every record that is read."""
    names: list[str] = []

    def records(path: Path) -> Iterator[bytes]:
        for content in original(path):
            names.append(path.name)
            yield content

    original = record_file.records
    monkeypatch.setattr(files, "records", records)
    return names


def foreign(folder: Path, events: int, start_time: float = 1.0) -> Path:
    return write_events(folder, [LOSS] * events, start_time)


def test_of_files_of_others_the_first_events_are_read(tmp_path: Path, counted: list[str]) -> None:
    other = foreign(tmp_path, 2000)
    own = write_run(tmp_path, plan=PLAN)
    last = foreign(tmp_path, 2000, 2e9)
    assert load(tmp_path, ".").steps.tolist() == [0, 10, 20, 30, 40]
    assert counted.count(other.name) == counted.count(last.name) == FIRST_EVENTS
    assert counted.count(own.name) == 7
    counted.clear()
    assert run_names(tmp_path) == ["."]
    assert counted.count(other.name) == FIRST_EVENTS
    # Our own file is read up to its description and no further.
    assert (counted.count(own.name), counted.count(last.name)) == (2, 0)


@pytest.mark.parametrize(("before", "ours"), [(0, True), (FIRST_EVENTS - 2, True), (FIRST_EVENTS - 1, False)])
def test_the_description_must_be_among_the_first_events(tmp_path: Path, before: int, ours: bool) -> None:
    described = Event(step=1, summary=Encoder().run(run_spec(PLAN)))
    assert is_ours(write_events(tmp_path, [*[LOSS] * before, described])) == ours


def test_what_is_named_like_an_event_file_and_is_none(tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1.folder").mkdir()
    (tmp_path / "events.out.tfevents.2.dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "events.out.tfevents.3.round").symlink_to(tmp_path / "events.out.tfevents.3.round")
    os.mkfifo(tmp_path / "events.out.tfevents.4.pipe")
    (tmp_path / "events.out.tfevents.5.to_folder").symlink_to(tmp_path)
    (tmp_path / "events.out.tfevents.6.empty").touch()
    own = write_run(tmp_path, plan=PLAN)
    linked = tmp_path / "other" / "events.out.tfevents.7.linked"
    linked.parent.mkdir()
    linked.symlink_to(own)
    assert [path.name for path in event_files(tmp_path)] == [own.name, "events.out.tfevents.6.empty"]
    assert event_files(linked.parent) == [linked]
    assert run_names(tmp_path) == [".", "other"]
    assert len(load(tmp_path, ".").steps) == 5


def test_a_run_below_a_folder_that_is_named_like_an_event_file(tmp_path: Path) -> None:
    write_run(tmp_path / "tfevents" / "run", plan=PLAN)
    assert run_names(tmp_path) == ["tfevents/run"]


def damage(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("place", [0, 100, 300])
def test_a_run_that_is_damaged_before_its_description_is_not_hidden(tmp_path: Path, place: int) -> None:
    damage(write_run(tmp_path, plan=PLAN), place)
    with (
        pytest.warns(UserWarning, match="is damaged; read up to there"),
        pytest.raises(UnreadableRunError, match="no description"),
    ):
        load(tmp_path)


def test_damage_in_files_of_others_is_theirs(tmp_path: Path) -> None:
    damage(foreign(tmp_path, 10), 60)
    damage(foreign(tmp_path, 200, 2.0), -10)
    write_run(tmp_path, plan=PLAN)
    assert len(load(tmp_path).steps) == 5


def test_a_half_written_description_is_no_run_yet(tmp_path: Path) -> None:
    path = write_run(tmp_path, plan=PLAN)
    os.truncate(path, 200)
    assert run_names(tmp_path) == []


def test_a_folder_goes_by_its_own_name_and_links_lead_out_of_the_tree(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    write_run(logs / "z", plan=PLAN)
    write_run(tmp_path / "outside" / "b", plan=PLAN)
    (logs / "a_latest").symlink_to(logs / "z")
    (logs / "m").symlink_to(tmp_path / "outside")
    (tmp_path / "outside" / "up").symlink_to(logs)
    (logs / "self").symlink_to(logs / "self")
    assert run_names(logs) == ["m/b", "z"]
    assert len(load(logs, "a_latest").steps) == 5


def test_links_among_many_folders_list_each_once(tmp_path: Path) -> None:
    for number in range(12):
        for other in range(12):
            (tmp_path / str(number)).mkdir(exist_ok=True)
            (tmp_path / str(number) / f"to_{other}").symlink_to(tmp_path / str(other))
    assert len(list(folders(tmp_path))) == 13


def test_depths_and_long_names(tmp_path: Path) -> None:
    names = ["/".join("abcdefgh"[:depth]) for depth in range(1, 9)] + ["n" * 145, f"{'m' * 145}/{'k' * 145}"]
    for name in names:
        write_run(tmp_path, name=name, plan=PLAN, steps=1)
    for number in range(200):
        (tmp_path / f"empty{number}").mkdir()
    assert run_names(tmp_path) == sorted(names)


def test_a_folder_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path, name="open", plan=PLAN)
    write_run(tmp_path, name="closed", plan=PLAN)
    forbid(monkeypatch, tmp_path / "closed")
    with pytest.warns(UserWarning, match=r"cannot open the folder .*closed: Permission denied"):
        assert run_names(tmp_path) == ["open"]


def forbid(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As for a user who may not list it: whoever runs the tests may."""
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_a_name_must_be_one_that_runs_gives(tmp_path: Path) -> None:
    write_run(tmp_path / "logs", name="a", plan=PLAN)
    write_run(tmp_path, name="secret", plan=PLAN)
    for name in ("../secret", str(tmp_path / "secret"), "a/", "a/../a", "./a", "", "b"):
        with pytest.raises(FileNotFoundError, match=r"the runs are a$"):
            load(tmp_path / "logs", name)


def test_of_many_runs_a_message_names_some(tmp_path: Path) -> None:
    for number in range(25):
        write_run(tmp_path, name=f"run{number:02}", plan=PLAN, steps=1)
    with pytest.raises(ValueError, match=r"25 runs in .*run00, .*run19 and 5 more$"):
        load(tmp_path)
