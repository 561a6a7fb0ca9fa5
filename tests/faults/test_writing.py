"""Faults of disk, folder and filesystem while a training is recorded."""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from tb_activations import LayerHealth, load
from tests.clocked import clocked
from tests.faults.conftest import Told
from tests.faults.observe import EPOCH_STEPS, STEPS, at_epoch, check_row, every_step, fit, outcome, plain_weights

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

REAL_WRITER = tf.io.TFRecordWriter
NOBODY = 65534
UNTIL_FAULT = STEPS[:EPOCH_STEPS]
AFTER_NEXT_EPOCH = STEPS[2 * EPOCH_STEPS :]


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Limits files to a few bytes, so that writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk(log_dir: str, told: Told) -> None:
    with contextlib.ExitStack() as stack:
        full = at_epoch(1, lambda: stack.enter_context(full_disk()))
        model = fit(every_step(log_dir), full)
    assert load(log_dir).steps.tolist() == UNTIL_FAULT
    check_row("Disk full", outcome(model), "all later records", told())


def test_a_disk_that_is_full_for_a_while(log_dir: str, told: Told) -> None:
    with contextlib.ExitStack() as stack:
        full = at_epoch(1, lambda: stack.enter_context(full_disk()))
        model = fit(every_step(log_dir), full, at_epoch(2, stack.close))
    assert load(log_dir).steps.tolist() == [*UNTIL_FAULT, *AFTER_NEXT_EPOCH]
    check_row("Disk full for a while", outcome(model), "records during the fault", told())


def test_a_folder_that_is_deleted(log_dir: str, told: Told) -> None:
    # Neither time nor a finding flushes before the end of the epoch.
    health = clocked(every_step(log_dir, rules=["nonfinite"]), itertools.count(0.0, 1e-6).__next__)
    model = fit(health, at_epoch(1, lambda: shutil.rmtree(log_dir)))
    assert load(log_dir).steps.tolist() == AFTER_NEXT_EPOCH
    check_row("Folder deleted during training", outcome(model), "its contents and the rest of the epoch", told())


def test_a_folder_that_becomes_a_file(log_dir: str, told: Told) -> None:
    def replace() -> None:
        shutil.rmtree(log_dir)
        Path(log_dir).write_text("in the way")

    model = fit(every_step(log_dir), at_epoch(1, replace))
    assert Path(log_dir).read_text() == "in the way"
    check_row("Folder replaced by a file", outcome(model), "everything", told())


@contextlib.contextmanager
def unprivileged() -> Iterator[str]:
    """A new folder, while the process runs as an unprivileged user: root could write anywhere."""
    plain_weights()
    user = os.geteuid()
    # Only their owner may enter pytest's own folders.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        if user == 0:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.chmod(folder, 0o755)
            os.seteuid(user)


def test_a_folder_that_becomes_read_only(told: Told) -> None:
    with unprivileged() as folder:
        model = fit(every_step(folder), at_epoch(1, lambda: os.chmod(folder, 0o555)))
        with pytest.raises(PermissionError):
            Path(folder, "new").write_text("")
        assert load(folder).steps.tolist() == STEPS
    check_row("Folder made read-only during training", outcome(model), "nothing: the open file stays writable", told())


def test_a_folder_that_is_read_only_from_the_start(told: Told) -> None:
    with unprivileged() as folder:
        os.chmod(folder, 0o555)
        model = fit(every_step(folder))
        assert os.listdir(folder) == []
    messages = [message.replace(folder, "logs/run") for message in told()]
    check_row("Folder read-only from the start", outcome(model), "everything", messages)


class Bucket:
    """TensorFlow's writer on a filesystem whose service can be unavailable."""

    is_away = False

    def __init__(self, path: str) -> None:
        self._file = REAL_WRITER(path)

    def write(self, record: bytes) -> None:
        self._ask()
        self._file.write(record)

    def flush(self) -> None:
        self._ask()
        self._file.flush()

    def close(self) -> None:
        self._ask()
        self._file.close()

    def _ask(self) -> None:
        if Bucket.is_away:
            raise tf.errors.UnavailableError(None, None, "503 Service Unavailable")


def downloaded(remote: str, folder: Path) -> Path:
    folder.mkdir()
    for name in tf.io.gfile.listdir(remote):
        if "tfevents" in name:
            tf.io.gfile.copy(f"{remote}/{name}", str(folder / name))
    return folder


@pytest.fixture
def remote() -> Iterator[str]:
    folder = "ram://faults/run"
    yield folder
    # A folder in memory is only a name prefix, so the files that begin with it must be deleted first.
    for path in (f"{folder}-3", f"{folder}-2", folder):
        if tf.io.gfile.exists(path):
            tf.io.gfile.rmtree(path)


def test_a_remote_folder_is_written_and_continued(remote: str, tmp_path: Path) -> None:
    model = fit(every_step(remote), epochs=1)
    fit(every_step(remote), model=model, epochs=1)
    assert load(downloaded(remote, tmp_path / "copy")).steps.tolist() == STEPS[: 2 * EPOCH_STEPS]


def test_a_remote_run_that_is_not_continued_gets_a_sibling(remote: str, tmp_path: Path, told: Told) -> None:
    for _ in range(3):
        fit(every_step(f"{remote}/"), epochs=1)
    for number, folder in enumerate([remote, f"{remote}-2", f"{remote}-3"]):
        assert load(downloaded(folder, tmp_path / str(number))).steps.tolist() == STEPS[:EPOCH_STEPS]
    assert ["ram://faults/run-2" in told()[0], "ram://faults/run-3" in told()[1], len(told())] == [True, True, 2]


def test_a_remote_filesystem_that_is_away_for_a_while(
    remote: str, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(is_away: bool) -> Any:
        return lambda: setattr(Bucket, "is_away", is_away)

    monkeypatch.setattr(tf.io, "TFRecordWriter", Bucket)
    # So much time passes that every record is uploaded at once.
    health = clocked(every_step(remote), itertools.count(0.0, 1e3).__next__)
    model = fit(health, at_epoch(1, away(True)), at_epoch(2, away(False)))
    steps = load(downloaded(remote, tmp_path / "copy")).steps.tolist()
    # The record that could not be uploaded is kept; later ones are not taken until the end of the epoch.
    assert steps == [*UNTIL_FAULT, EPOCH_STEPS, *AFTER_NEXT_EPOCH]
    check_row("Remote filesystem that raises", outcome(model), "records during the fault", told())


def test_a_filesystem_that_nobody_knows_is_refused_before_training() -> None:
    with pytest.raises(ValueError, match=r"`log_dir`: 'nowhere://bucket/run'.*'nowhere' not implemented.*Allowed"):
        LayerHealth("nowhere://bucket/run")
