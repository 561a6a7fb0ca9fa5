"""Reads the text chunks of a PNG without a picture library: decodes no pixels and is thread-safe."""

from __future__ import annotations

import struct

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LENGTH, _NAME, _CHECKSUM = 4, 4, 4
_NOT_COMPRESSED = b"\0\0"


def png_texts(png: bytes) -> dict[str, str]:
    """Keys and texts of the uncompressed text chunks before the pixels; empty if `png` is not a PNG."""
    texts: dict[str, str] = {}
    place = len(_SIGNATURE) if png.startswith(_SIGNATURE) else len(png)
    while place + _LENGTH + _NAME <= len(png):
        (length,) = struct.unpack_from(">I", png, place)
        name = png[place + _LENGTH : place + _LENGTH + _NAME]
        start = place + _LENGTH + _NAME
        if name == b"IDAT" or start + length > len(png):
            break
        if name in (b"tEXt", b"iTXt"):
            key, _, content = png[start : start + length].partition(b"\0")
            text = content.decode("latin-1") if name == b"tEXt" else _international(content)
            texts[key.decode("latin-1")] = text
        place = start + length + _CHECKSUM
    return texts


def _international(content: bytes) -> str:
    """The text of an iTXt chunk, from the part after its key: two flags, language, translated key, text."""
    if not content.startswith(_NOT_COMPRESSED):
        return ""
    return content[len(_NOT_COMPRESSED) :].split(b"\0", 2)[-1].decode("utf-8", "replace")
