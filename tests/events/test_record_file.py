from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import pytest
from tensorboard.summary.writer.record_writer import RecordWriter

from tb_activations.events.checksums import masked
from tb_activations.events.record_file import DamagedFileError, framed, records

CONTENTS = [b"", b"short", b"long" * 500]


def written(contents: list[bytes]) -> bytes:
    file = BytesIO()
    writer = RecordWriter(file)
    for content in contents:
        writer.write(content)
    return file.getvalue()


def test_records_are_framed_as_tensorboard_does() -> None:
    assert b"".join(map(framed, CONTENTS)) == written(CONTENTS)


def test_records_come_back(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(written(CONTENTS))
    assert list(records(tmp_path / "file")) == CONTENTS


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 2000, 2004, 2005, 2011, 2015])
def test_a_half_written_record_is_left_out(tmp_path: Path, cut: int) -> None:
    (tmp_path / "file").write_bytes(written(CONTENTS)[:-cut])
    assert list(records(tmp_path / "file")) == CONTENTS[:-1]


@pytest.mark.parametrize("place", [0, 8, 16, 20, 37, 60, -1])
def test_a_changed_byte_is_found(tmp_path: Path, place: int) -> None:
    content = bytearray(written(CONTENTS))
    content[place] ^= 1
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"wrong checksum of the record .*before byte \d+"):
        list(records(tmp_path / "file"))


def test_a_length_beyond_the_file_takes_no_memory(tmp_path: Path) -> None:
    header = struct.pack("<Q", 2**62)
    (tmp_path / "file").write_bytes(header + struct.pack("<I", masked(header)) + b"content")
    assert list(records(tmp_path / "file")) == []


def test_a_file_that_grows_while_it_is_read(tmp_path: Path) -> None:
    content = written(CONTENTS)
    path = tmp_path / "file"
    path.write_bytes(content[:16])
    reading = records(path)
    assert next(reading) == b""
    path.write_bytes(content)
    assert list(reading) == CONTENTS[1:]
