"""How often files are written, and how many bytes a remote filesystem has to upload for that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow as tf
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.events import schema
from tb_activations.events.assemble import decode
from tb_activations.events.encoding import Encoder
from tb_activations.events.reader import collect
from tb_activations.recording.folder.claim import claim_folder
from tb_activations.recording.folder.files import event_files, events, size
from tb_activations.recording.folder.writer import RunWriter
from tb_activations.records.specs import RunSpec

REAL_WRITER = tf.io.TFRecordWriter
HOURS = 3600


class Uploading:
    """TensorFlow's writer on a filesystem that uploads a file as a whole whenever it is flushed or closed."""

    uploaded = 0

    def __init__(self, path: str) -> None:
        self._file, self._path = REAL_WRITER(path), path

    def write(self, record: bytes) -> None:
        self._file.write(record)

    def flush(self) -> None:
        self._file.flush()
        self._upload()

    def close(self) -> None:
        self._file.close()
        self._upload()

    def _upload(self) -> None:
        Uploading.uploaded += size([self._path])


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(tf.io, "TFRecordWriter", Uploading)
    monkeypatch.setattr(Uploading, "uploaded", 0)
    folder = "ram://writer/run"
    yield folder
    # A folder in memory exists only with files.
    if tf.io.gfile.exists(folder):
        tf.io.gfile.rmtree(folder)


class Training:
    """Writes an event of 1 kB each second."""

    def __init__(self, log_dir: str, begin: float = 0.0) -> None:
        self.seconds = begin
        self.writer = RunWriter(claim_folder(log_dir), lambda: self.seconds, lambda: 1e9 + self.seconds)

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            summary = Summary(value=[Summary.Value(tag="layer_health/layers", simple_value=0.0)])
            summary.value[0].metadata.summary_description = "." * 1000
            self.writer.write(summary, int(self.seconds))
            self.seconds += 1


def steps(log_dir: str) -> list[int]:
    return [event.step for event in events(event_files(log_dir))]


def test_a_remote_filesystem_uploads_every_byte_once(remote: str) -> None:
    training = Training(remote)
    training.run(10 * HOURS)
    training.writer.rest()
    assert Uploading.uploaded == size(event_files(remote))
    assert len(event_files(remote)) < 400
    assert steps(remote) == list(range(10 * HOURS))


def test_a_remote_run_is_up_to_date_soon_at_first_and_within_minutes_later(remote: str) -> None:
    training = Training(remote)
    for seconds, behind in ((1, 0), (9, 5), (50, 30), (HOURS, 60), (4 * HOURS, 250)):
        training.run(seconds)
        assert training.seconds - len(steps(remote)) <= behind


def test_findings_and_ends_of_epochs_do_not_flush_a_remote_file(remote: str) -> None:
    training = Training(remote)
    training.run(200)
    files = len(event_files(remote))
    for _ in range(10):
        training.run(1)
        training.writer.flush()
    assert len(event_files(remote)) <= files + 1


def test_each_remote_file_can_be_read_alone(remote: str) -> None:
    training = Training(remote)
    spec, encoder = RunSpec("model", layers=()), Encoder()
    training.writer.write(encoder.run(spec), 0)
    for _ in range(100):
        training.writer.write(encoder.findings([]), int(training.seconds))
        training.seconds += 1
    training.writer.rest()
    files = event_files(remote)
    assert len(files) > 3
    for path in files[1:]:
        found = [value for event in events([path]) for value in event.summary.value]
        assert [found[0].tag, found[1].tag] == [schema.RUN, schema.FINDINGS]
        described = [value.tag for value in found if value.metadata.plugin_data.plugin_name == schema.PLUGIN_NAME]
        assert described == [schema.RUN, schema.FINDINGS]
    assert len(decode(collect(events(files))).findings) == 0


def test_a_remote_run_continues_after_a_rest(remote: str) -> None:
    training = Training(remote)
    training.run(100)
    training.writer.rest()
    assert training.writer.resume()
    training.run(100)
    training.writer.rest()
    again = Training(remote, training.seconds)
    again.run(10)
    again.writer.close()
    assert steps(remote) == list(range(210))


def test_a_local_file_is_flushed_after_five_seconds_and_stays_one(tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    training = Training(folder)
    training.run(100)
    assert training.seconds - len(steps(folder)) <= 5
    training.writer.flush()
    assert (steps(folder), len(event_files(folder))) == (list(range(100)), 1)


@pytest.mark.parametrize("is_remote", [True, False])
def test_the_first_event_is_on_disk_at_once_even_after_a_flush_of_nothing(
    remote: str, tmp_path: Path, is_remote: bool
) -> None:
    folder = remote if is_remote else str(tmp_path / "run")
    training = Training(folder)
    training.writer.flush()
    training.run(1)
    assert steps(folder) == [0]
