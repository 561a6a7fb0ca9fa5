"""Trainings that are recorded on a real S3-compatible server."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tb_activations import LayerHealth, load
from tb_activations.recording.folder import writer
from tests.clocked import clocked
from tests.faults.bucket import NAME, BucketServer
from tests.faults.conftest import Told
from tests.faults.observe import (
    EPOCH_STEPS,
    ROOT,
    SAME,
    STEPS,
    at_epoch,
    every_step,
    fit,
    outcome,
    plain_weights,
)
from tests.live_server import serve

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

RUN = f"s3://{NAME}/logs/run"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketServer]:
    plain_weights()
    served = BucketServer(monkeypatch)
    yield served
    served.client.close()
    served.stop()


def test_every_byte_is_uploaded_once(server: BucketServer, tmp_path: Path) -> None:
    model = fit(every_step(RUN))
    assert load(server.downloaded(tmp_path)).steps.tolist() == STEPS
    assert server.uploaded == server.size()
    assert outcome(model) == SAME


def test_the_training_does_not_upload(server: BucketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A file for every record.
    monkeypatch.setattr(writer, "REMOTE_BYTES", 0)
    fit(every_step(RUN))
    assert load(server.downloaded(tmp_path)).steps.tolist() == STEPS
    assert len(server.threads) > 10
    assert all(thread.name == "tb_activations upload" for thread in server.threads)


def test_records_of_an_upload_that_fails_are_in_the_next_one(
    server: BucketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    monkeypatch.setattr(writer, "REMOTE_BYTES", 0)
    model = fit(every_step(RUN), at_epoch(1, server.stop), at_epoch(2, server.start))
    steps = load(server.downloaded(tmp_path)).steps.tolist()
    # All that were taken before the fault was noticed.
    assert steps[: EPOCH_STEPS + 1] == STEPS[: EPOCH_STEPS + 1]
    assert steps[-EPOCH_STEPS:] == STEPS[-EPOCH_STEPS:]
    assert [message.split(" (")[0] for message in told()] == [
        f"Layer health: cannot write to {RUN!r}",
        f"Layer health: writing to {RUN!r} again.",
    ]
    assert outcome(model) == SAME


def test_a_run_is_continued(server: BucketServer, tmp_path: Path) -> None:
    model = fit(every_step(RUN), epochs=1)
    fit(every_step(RUN), model=model, epochs=1)
    assert load(server.downloaded(tmp_path), "logs/run").steps.tolist() == STEPS[: 2 * EPOCH_STEPS]


def test_another_run_gets_a_sibling_and_no_name_is_taken_for_a_longer_one(
    server: BucketServer, tmp_path: Path, told: Told
) -> None:
    for _ in range(2):
        fit(every_step(RUN), epochs=1)
    assert f"{RUN}-2" in told()[0]
    # `logs/ru` is no file because `logs/run` exists.
    fit(every_step(RUN[:-1]), epochs=1)
    folder = server.downloaded(tmp_path)
    for name in ("run", "run-2", "ru"):
        assert load(folder / "logs" / name).steps.tolist() == STEPS[:EPOCH_STEPS]


def test_a_server_that_is_away_for_a_while(server: BucketServer, tmp_path: Path, told: Told) -> None:
    # So much time passes that every record is uploaded at once.
    health = clocked(every_step(RUN), itertools.count(0.0, 1e3).__next__)
    model = fit(health, at_epoch(1, server.stop), at_epoch(2, server.start))
    steps = load(server.downloaded(tmp_path)).steps.tolist()
    kept = steps.index(3 * EPOCH_STEPS)
    # Nothing that was uploaded is lost. A connection that is open already may bring one more record through.
    assert steps[:kept] == STEPS[:kept]
    assert kept > EPOCH_STEPS
    # The folder is looked for again after each epoch.
    assert steps[kept:] == STEPS[3 * EPOCH_STEPS :]
    assert len(told()) == 2
    assert outcome(model) == SAME


CHILD = """
import sys
from tb_activations.recording.folder import writer
from tests.faults.observe import at_step, every_step, fit
def stop():
    print("waiting", flush=True)
    sys.stdin.readline()
writer.REMOTE_BYTES = 0
fit(every_step(sys.argv[1]), at_step(20, stop))
"""


def test_what_was_uploaded_survives_a_kill(server: BucketServer, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, RUN], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "waiting\n"
        child.kill()
    run = load(server.downloaded(tmp_path))
    assert len(run.steps) >= 1
    assert run.steps.tolist() == STEPS[: len(run.steps)]
    # The next training finds the run and leaves it as it is.
    fit(every_step(RUN), epochs=1)
    copy = server.downloaded(tmp_path / "later")
    assert load(copy / "logs" / "run").steps.tolist() == run.steps.tolist()
    assert load(copy / "logs" / "run-2").steps.tolist() == STEPS[:EPOCH_STEPS]


def test_the_tab_shows_a_run_of_a_bucket(server: BucketServer) -> None:
    fit(every_step(RUN))
    with serve(f"s3://{NAME}/logs", load_fast=False) as board:
        assert board.wait_for_records("run", len(STEPS))["last_step"] == STEPS[-1]


def test_a_bucket_is_no_folder(server: BucketServer) -> None:
    with pytest.raises(ValueError, match=r"`log_dir`.*below the bucket"):
        LayerHealth(f"s3://{NAME}/")


def test_a_file_in_the_place_of_the_folder_is_refused(server: BucketServer) -> None:
    server.client.put_object(Bucket=NAME, Key="logs/file", Body=b"something")
    with pytest.raises(ValueError, match=r"`log_dir`.*is a file"):
        LayerHealth(f"s3://{NAME}/logs/file")
