"""Which event files hold a run, and what is read from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.events.encoding import Encoder
from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.reader import collect
from tb_activations.events.schema import LAYERS, RUN, STATE
from tb_activations.events.states import StoredState
from tb_activations.recording.folder import files
from tests.events.test_encoding import SPEC, record


def foreign(size: int) -> Summary:
    return Summary(value=[Summary.Value(tag="picture", metadata={"summary_description": "x" * size})])


def written(path: Path, summaries: list[Summary]) -> list[int]:
    """Writes a file with one event for each; returns where each event ends."""
    ends = []
    with tf.io.TFRecordWriter(str(path)) as file:
        for step, summary in enumerate(summaries):
            file.write(Event(wall_time=1, step=step, summary=summary).SerializeToString())
            file.flush()
            ends.append(path.stat().st_size)
    return ends


def state(step: int) -> StoredState:
    return StoredState(step, step, f"{step:016x}", 0, "", np.zeros(0, np.float32))


@pytest.mark.parametrize(("before", "is_ours"), [(0, True), (1, True), (63, True), (64, False)])
@pytest.mark.parametrize("size", [10, 30_000, 200_000])
def test_a_file_with_a_description_among_its_first_events_holds_a_run(
    tmp_path: Path, before: int, size: int, is_ours: bool
) -> None:
    path = tmp_path / "file"
    written(path, [foreign(size)] * before + [Encoder().run(SPEC), foreign(size)])
    assert files.holds_a_run(str(path)) is is_ours


def test_a_tag_inside_a_large_foreign_record_is_not_searched_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    written(path, [Summary(value=[Summary.Value(tag="text", metadata={"summary_description": "x" * 500 + RUN})])])
    assert not files.holds_a_run(str(path))


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"\xff" * 400, b"\0" * 400, b"text\n" * 30_000])
def test_other_files_hold_no_run(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert not files.holds_a_run(str(path))
    assert not files.holds_a_run(str(tmp_path))
    assert not files.holds_a_run(str(tmp_path / "nothing"))


@pytest.mark.parametrize("damage", ["flipped", "truncated"])
@pytest.mark.parametrize("damaged", [3, 700, 1199])
@pytest.mark.parametrize("top", ["", "ram://"])
def test_everything_before_the_damage_is_read(tmp_path: Path, damage: str, damaged: int, top: str) -> None:
    path, encoder = tmp_path / "file", Encoder()
    ends = written(path, [encoder.run(SPEC), *(encoder.record(record(step)) for step in range(1, 1200))])
    content = bytearray(path.read_bytes())
    content[ends[damaged] - 20] ^= 255
    name = f"{top}{path}"
    with tf.io.gfile.GFile(name, "wb") as file:
        file.write(bytes(content if damage == "flipped" else content[: ends[damaged] - 3]))
    assert [event.step for event in files.events([name])] == list(range(damaged))


def test_a_run_of_many_short_trainings_is_read_quickly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"file {number}" for number in range(100)]
    for path in paths:
        written(path, [Encoder().run(SPEC)])
    # A dataset takes 30 ms for each file.
    monkeypatch.delattr(tf.data, "TFRecordDataset")
    assert len(list(files.events(list(map(str, paths))))) == 100


def test_only_run_events_are_decoded_and_an_outline_is_short(tmp_path: Path) -> None:
    path, encoder = tmp_path / "file", Encoder()
    records = [encoder.record(record(step)) for step in range(2, 50)]
    written(path, [encoder.run(SPEC), foreign(10), *records, encoder.state(state(30)), encoder.state(state(40))])
    assert all(event.step != 1 for event in files.events([str(path)]))
    outline = collect(files.outline([str(path)]))
    assert [point.step for point in outline[LAYERS].points] == [2, 49]
    assert (len(outline[RUN].points), len(outline[STATE].points)) == (1, 2)


def test_a_run_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    (size,) = written(path, [Encoder().run(SPEC)])
    monkeypatch.setattr(files, "LARGEST_RUN", size)
    assert len(list(files.events([str(path)]))) == 1
    with pytest.raises(UnreadableRunError, match="larger than"):
        list(files.events([str(path), str(path)]))
