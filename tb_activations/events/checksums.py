"""The checksum of event files."""

from __future__ import annotations

import google_crc32c

_ALL = 0xFFFFFFFF


def masked(data: bytes) -> int:
    """The checksum of `data` as event files store it: CRC-32C, rotated, plus a constant."""
    raw: int = google_crc32c.value(data)
    return (((raw >> 15) | (raw << 17)) + 0xA282EAD8) & _ALL
