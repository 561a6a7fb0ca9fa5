"""Splits an event file into records, and frames records: length, its checksum, content, its checksum."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tb_activations.events.checksums import masked

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")


class DamagedFileError(ValueError):
    """The bytes at this position are not a valid record of an event file."""


def framed(content: bytes) -> bytes:
    """One record as it is in the file."""
    length = struct.pack("<Q", len(content))
    return b"".join([length, _FOOTER.pack(masked(length)), content, _FOOTER.pack(masked(content))])


def unfinished_bytes(path: Path) -> int:
    """Bytes after the last complete record: 0 unless the file is being written, or its writer was killed. Checksums are
    not checked.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size, end = os.fstat(file.fileno()).st_size, 0
        while len(header := file.read(_HEADER.size)) == _HEADER.size:
            following = end + _HEADER.size + _HEADER.unpack(header)[0] + _FOOTER.size
            if following > size:
                break
            end = file.seek(following)
        return size - end


def records(path: Path) -> Iterator[bytes]:
    """The content of each record, up to the end of the file.

    An incomplete last record is skipped: it is still being written, or was when the process died.

    Raises:
        DamagedFileError: a checksum does not match.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        yield from records_in(file)


def records_in(file: BinaryIO) -> Iterator[bytes]:
    """As `records`, of an open file, which may grow."""
    # Terminates: each iteration consumes bytes.
    while len(header := file.read(_HEADER.size)) == _HEADER.size:
        length, checksum = _HEADER.unpack(header)
        if masked(header[:8]) != checksum:
            raise DamagedFileError(f"wrong checksum of the record length before byte {file.tell()}")
        if length + _FOOTER.size > _size(file) - file.tell():
            return
        content = file.read(length)
        footer = file.read(_FOOTER.size)
        if len(content) < length or len(footer) < _FOOTER.size:
            return
        if masked(content) != _FOOTER.unpack(footer)[0]:
            raise DamagedFileError(f"wrong checksum of the record before byte {file.tell()}")
        yield content


def _size(file: BinaryIO) -> int:
    return len(file.getbuffer()) if isinstance(file, io.BytesIO) else os.fstat(file.fileno()).st_size
