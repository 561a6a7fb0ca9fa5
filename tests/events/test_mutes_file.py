"""The file of mutes: what is written is read, whole or not at all, and nothing else counts as one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tb_activations.events import mutes_file
from tb_activations.events.mutes_file import NAME, MutesError, read_mutes, write_mutes
from tb_activations.records.finding import Severity
from tb_activations.records.mute import Mute, mutes_of

MUTES = mutes_of(
    [
        Mute("dead_units", "conv:1/層", Severity.PROBLEM, 'a "note"\nof two lines', 12.5),
        Mute("no_learning", "", Severity.NOTE, "", 13.0),
    ]
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read_mutes(tmp_path) == {}
    write_mutes(tmp_path, MUTES)
    assert read_mutes(tmp_path) == MUTES
    write_mutes(tmp_path, {})
    assert read_mutes(tmp_path) == {}
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_write_that_fails_leaves_the_old_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mutes(tmp_path, MUTES)

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_mutes(tmp_path, {})
    assert read_mutes(tmp_path) == MUTES
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_link_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("keep me")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / NAME).symlink_to(target)
    (folder / f".{NAME}.{os.getpid()}").symlink_to(target)
    write_mutes(folder, MUTES)
    assert target.read_text() == "keep me"
    assert read_mutes(folder) == MUTES


def test_a_pipe_and_a_folder_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    with pytest.raises(MutesError, match="not a regular file"):
        read_mutes(tmp_path)
    (tmp_path / NAME).unlink()
    (tmp_path / NAME).mkdir()
    with pytest.raises(MutesError, match="not a regular file"):
        read_mutes(tmp_path)


GOOD = {"rule": "r", "layer": "l", "severity": "note", "note": "", "time": 1}
DAMAGED = {
    "no JSON": b"secret",
    "not UTF-8": b"\xff",
    "deep": b"[" * 100_000,
    "a list": b"[]",
    "another format": b'{"format": 2, "mutes": []}',
    "no list": b'{"format": 1, "mutes": {}}',
    "no objects": b'{"format": 1, "mutes": ["secret"]}',
    "too many": json.dumps({"format": 1, "mutes": [GOOD] * 1001}).encode(),
    "too large": b" " * (mutes_file.LARGEST_FILE + 1),
    **{
        f"{name} {value!r:.20}": json.dumps({"format": 1, "mutes": [{**GOOD, name: value}]}).encode()
        for name, value in (
            ("rule", 1),
            ("layer", None),
            ("note", "n" * 1001),
            ("severity", "secret"),
            ("time", "now"),
            ("time", True),
            ("time", float("nan")),
        )
    },
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_other_content_is_an_error_that_does_not_quote_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(MutesError) as caught:
        read_mutes(tmp_path)
    assert "secret" not in str(caught.value)


def test_no_more_is_written_than_is_read(tmp_path: Path) -> None:
    many = mutes_of(Mute("r", f"layer{index}", Severity.NOTE, "", 0.0) for index in range(1001))
    with pytest.raises(MutesError, match="at most 1000 mutes"):
        write_mutes(tmp_path, many)
    long = mutes_of(Mute("r", f"{index}" * 10_000, Severity.NOTE, "n" * 1000, 0.0) for index in range(10, 90))
    with pytest.raises(MutesError, match="bytes"):
        write_mutes(tmp_path, long)
    assert list(tmp_path.iterdir()) == []
