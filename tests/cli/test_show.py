"""`tb-activations show`: files of this package and of other writers, whole, cut off, damaged, and empty.

The files in `foreign/` were written by Keras 3.15.1 (`keras.callbacks.TensorBoard`), PyTorch 2.14.1 (`SummaryWriter`),
tensorboardX 2.6.5 and Lightning 2.6.6 (`TensorBoardLogger`).
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.cli.conftest import Call

FOREIGN = Path(__file__).parent / "foreign"


def rows(text: str) -> list[list[str]]:
    """The cells of the tables."""
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines() if "   " in line]


@pytest.mark.parametrize(
    ("writer", "expected"),
    [
        ("keras/train", ["scalars", "epoch_loss", "2", "0 to 1"]),
        ("keras/train", ["histograms", "sequential/dense/kernel/histogram", "2", "0 to 1"]),
        ("pytorch", ["scalars", "loss/train", "5", "0 to 4"]),
        ("pytorch", ["pr_curves", "curve", "1", "2"]),
        ("pytorch", ["images", "image", "1", "1"]),
        ("tensorboardx", ["histograms", "weights", "1", "4"]),
        ("tensorboardx", ["text", "note/text_summary", "1", "0"]),
        ("lightning", ["scalars", "train_loss", "6", "0 to 5"]),
    ],
)
def test_tags_of_other_writers_are_listed(writer: str, expected: list[str], call: Call) -> None:
    answer = call("show", FOREIGN / writer)
    assert (answer.status, answer.err) == (0, "")
    assert expected in [row[:4] for row in rows(answer.out)]
    assert "Schema" not in answer.out


@pytest.mark.parametrize("writer", ["keras/train", "pytorch", "lightning"])
def test_scalars_and_their_points_are_those_that_tensorboard_sees(writer: str, call: Call) -> None:
    seen = EventAccumulator(str(FOREIGN / writer)).Reload()
    # New-style scalars are tensors to the accumulator.
    points = {tag: len(seen.Scalars(tag)) for tag in seen.Tags()["scalars"]}
    points |= {tag: len(seen.Tensors(tag)) for tag in seen.Tags()["tensors"]}
    shown = {row[1]: int(row[2]) for row in rows(call("show", FOREIGN / writer).out)[1:]}
    assert points
    assert {tag: shown[tag] for tag in points} == points


def test_a_directory_above_lists_every_directory_with_event_files(call: Call) -> None:
    out = call("show", FOREIGN).out
    for writer in ("keras/train", "keras/validation", "lightning", "pytorch", "tensorboardx/hparams"):
        assert str(FOREIGN / writer) in out.splitlines()


def test_an_own_run_is_described_with_its_schema(sick: Path, call: Call) -> None:
    answer = call("show", sick)
    assert answer.status == 0
    assert (
        "Layer Health run: model synthetic, 6 layers, 6 weights, 40 observed steps; tb_activations 0.0.0" in answer.out
    )
    assert "Verdict: dense_2: 100% of units dead since step 120." in answer.out
    (layers,) = [row for row in rows(answer.out) if row[:2] == ["layer_health", "layer_health/layers"]]
    assert layers[2:4] == ["40", "0 to 390"]
    assert layers[-1] == "3"


def test_a_single_file_can_be_shown(sick: Path, call: Call) -> None:
    (file,) = sick.glob("*tfevents*")
    assert call("show", file) == call("show", sick)


def test_a_run_of_a_newer_version_is_shown_and_named(newer: Path, call: Call) -> None:
    answer = call("show", newer)
    assert answer.status == 0
    assert "Layer Health run that cannot be read: the run has schema version 99" in answer.out
    assert [row[-1] for row in rows(answer.out) if row[0] == "layer_health"] == ["99"]


def cut(writer: str, to: Path, length: int) -> Path:
    """The first bytes of a foreign file."""
    (file,) = (FOREIGN / writer).glob("*tfevents*")
    to.mkdir()
    (to / file.name).write_bytes(file.read_bytes()[:length])
    return to


@pytest.mark.parametrize("writer", ["keras/train", "lightning", "pytorch", "tensorboardx"])
def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes(writer: str, tmp_path: Path, call: Call) -> None:
    answer = call("show", cut(writer, tmp_path / "cut", 300))
    assert (answer.status, answer.err) == (0, "")
    assert re.search(
        r"ends with \d+ bytes of an incomplete record: it is still being written, or was cut off", answer.out
    )
    assert len(rows(answer.out)) > 1


def test_a_damaged_file_is_read_up_to_the_damage(tmp_path: Path, call: Call) -> None:
    shutil.copytree(FOREIGN / "lightning", tmp_path / "damaged")
    (file,) = (tmp_path / "damaged").glob("*")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    answer = call("show", tmp_path)
    assert answer.status == 0
    assert "damaged; read up to there: wrong checksum" in answer.out
    assert len(rows(answer.out)) > 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "0 B, 0 events"),
        (b"", "  empty"),
        (b"\x18\x00", "ends with 2 bytes of an incomplete record"),
        (b"this is a text that somebody saved under this name", "not an event file, or damaged at its beginning"),
        (bytes(64), "not an event file, or damaged at its beginning"),
    ],
)
def test_a_file_without_an_event_gives_two_and_the_reason(
    content: bytes, says: str, tmp_path: Path, call: Call
) -> None:
    (tmp_path / "events.out.tfevents.1.host").write_bytes(content)
    answer = call("show", tmp_path)
    assert answer.status == 2
    assert says in answer.out


def test_no_file_and_no_directory_give_two(tmp_path: Path, call: Call) -> None:
    answer = call("show", tmp_path)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == f"Cannot show: no event file in {tmp_path} or below it: no event files\n"
    answer = call("show", tmp_path / "nowhere")
    assert (answer.status, answer.err) == (2, f"Cannot show: there is no folder {tmp_path / 'nowhere'}\n")
    assert call("show", "gs://bucket/run").status == 2


def test_names_cannot_control_the_terminal(hostile: Path, call: Call) -> None:
    out = call("show", hostile).out
    assert all(character.isprintable() for line in out.splitlines() for character in line)
