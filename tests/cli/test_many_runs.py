"""Many runs in one log directory: the work grows with their number, and an odd one hides no other."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.cli import progress
from tb_activations.events import assemble, files, record_file
from tests.cli.conftest import Answer, Call, opened_event_files
from tests.synthetic import Plan, write_events, write_newer_schema, write_run

SMALL = Plan(layers=4, steps=40, units=2, stock=False)


@pytest.fixture
def many(tmp_path: Path) -> Callable[[int], Path]:
    """Makes a log directory with that many copies of one run."""
    source = write_run(tmp_path / "one", plan=SMALL, sick=False).parent

    def make(count: int) -> Path:
        top = tmp_path / f"of_{count}"
        for index in range(count):
            shutil.copytree(source, top / f"lr={index}" / "train")
        return top

    return make


COMMANDS = (["check"], ["report"], ["report", "--format", "json"], ["check", "--thresholds", "rules.json"])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_work_grows_with_the_number_of_runs(
    command: list[str], many: Callable[[int], Path], call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rules.json").write_text('["nonfinite"]')
    work = {count: done(count, command, many(count), call, monkeypatch) for count in (4, 8)}
    assert work[4] == {"opened": 4, "listed": 9, "decoded": 4, "records": 4 * 42}
    assert work[8] == {"opened": 8, "listed": 17, "decoded": 8, "records": 8 * 42}


def done(count: int, command: list[str], top: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What a command does to read the runs, counted."""
    work = Counter[str]()
    with monkeypatch.context() as patch:
        opened = opened_event_files(patch)
        count_calls(patch, work, "listed", os, "scandir")
        count_calls(patch, work, "decoded", assemble._Decoder, "run")
        original = record_file.records

        def records(path: Path) -> Any:
            for content in original(path):
                work["records"] += 1
                yield content

        patch.setattr(files, "records", records)
        answer = call(*command, top)
    assert answer.status == 0
    assert set(Counter(opened).values()) == {1}
    return {**work, "opened": len(opened)}


def count_calls(patch: pytest.MonkeyPatch, work: Counter[str], name: str, home: Any, function: str) -> None:
    original = getattr(home, function)

    def spy(*arguments: Any) -> Any:
        work[name] += 1
        return original(*arguments)

    patch.setattr(home, function, spy)


def test_odd_ones_among_many_hide_no_other(
    many: Callable[[int], Path], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = many(5)
    (damaged,) = (top / "lr=1" / "train").iterdir()
    content = bytearray(damaged.read_bytes())
    content[150] ^= 0xFF
    damaged.write_bytes(content)
    write_newer_schema(top, "newer")
    write_events(top / "keras", [Event(step=1, summary=Summary(value=[Summary.Value(tag="loss")]))] * 100)
    for number in range(200):
        (top / f"empty{number}").mkdir()
    (top / "link").symlink_to(top)
    write_run(top / "sick" / ("x" * 145), plan=SMALL)
    forbid(monkeypatch, top / "lr=2")
    answer = call("check", top)
    assert answer.status == 1
    assert [line.split(":")[0] for line in answer.out.splitlines() if line[0] != " "] == [
        *("✓ lr=0/train", "✓ lr=3/train", "✓ lr=4/train"),
        f"▲ sick/{'x' * 145}",
    ]
    damage, closed, newer = answer.err.splitlines()
    assert damage.startswith("Cannot judge: lr=1/train: ")
    assert "is damaged; read up to there" in damage
    assert "no description" in damage
    assert closed == "Cannot judge: lr=2: the folder cannot be opened: Permission denied"
    assert "newer: the run has schema version 99" in newer
    report = json.loads(call("report", top, "--format", "json").out)
    assert [run["readable"] for run in report["runs"]] == [True, False, False, True, True, False, True]


def forbid(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_a_run_that_grows_and_one_that_is_deleted_while_all_are_read(
    many: Callable[[int], Path], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = many(4)
    growing, going = (next((top / f"lr={index}" / "train").iterdir()) for index in (2, 3))
    whole = growing.read_bytes()
    growing.write_bytes(whole[: len(whole) // 2])
    original = record_file.records

    def records(path: Path) -> Any:
        if path == growing:
            growing.write_bytes(whole[:-7])
            going.unlink(missing_ok=True)
        return original(path)

    monkeypatch.setattr(files, "records", records)
    answer = call("report", top, "--format", "json")
    steps = [run.get("observed_steps") for run in json.loads(answer.out)["runs"]]
    assert steps == [40, 40, 39, None]
    assert "lr=3/train: cannot be read" in answer.err


def test_a_brief_reading_gives_the_same_verdict(many: Callable[[int], Path], call: Call) -> None:
    top = many(2)
    write_run(top, name="sick", plan=SMALL)
    answer = call("check", top)
    sentences = {run["name"]: run["verdict"] for run in json.loads(call("report", top, "--format", "json").out)["runs"]}
    assert [name for name, verdict in sentences.items() if verdict["severity"]] == ["sick"]
    assert [line.split(":")[0] for line in answer.out.splitlines() if line[0] != " "] == [
        *("✓ lr=0/train", "✓ lr=1/train"),
        "▲ sick",
    ]


def on_a_terminal(*arguments: str | Path) -> Answer:
    """The command with a terminal as standard error and a pipe as standard output."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tb_activations", *map(str, arguments)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "PYTHONPATH": os.getcwd()}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
        out = process.stdout.read() if process.stdout else b""
    os.close(ours)
    return Answer(process.returncode, out.decode(), shown.decode())


@pytest.mark.parametrize("command", ["check", "report"])
def test_a_progress_bar_is_for_a_terminal_and_many_runs(command: str, many: Callable[[int], Path], call: Call) -> None:
    top, few = many(progress.FEWEST), many(progress.FEWEST - 1)
    piped = call(command, top)
    assert piped.err == ""
    shown = on_a_terminal(command, top)
    assert "Reading runs" in shown.err
    assert "100%" in shown.err
    assert shown.out == piped.out
    assert on_a_terminal(command, few).err == ""
