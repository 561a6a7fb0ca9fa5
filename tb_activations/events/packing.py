"""Packs the table of a record into few bytes, and unpacks it.

Layout: the number of axes and the length of each as little-endian uint32, then the values, all compressed by zlib.
Bytes of equal place within their float come together: the exponents of a table resemble each other, and so compress.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 5
"""Of zlib: the next level takes one and a half times as long for one percent of a record."""
LARGEST = 2**26
"""Bytes that one table may hold: a few damaged bytes could claim to hold gigabytes."""
MOST_AXES = 4

_FLOAT = np.dtype("<f4")


def pack(table: NDArray[np.float32] | NDArray[np.uint8]) -> bytes:
    """The packed table; float32 or uint8 of at most `MOST_AXES` axes."""
    header = struct.pack(f"<{1 + table.ndim}I", table.ndim, *table.shape)
    if table.dtype == np.uint8:
        return zlib.compress(header + table.tobytes(), LEVEL)
    # Columns first: the values of one column resemble each other more than those of one row.
    columns = np.moveaxis(table, -1, 0).astype(_FLOAT, order="C")
    planes = np.ascontiguousarray(columns.view(np.uint8).reshape(-1, _FLOAT.itemsize).T)
    return zlib.compress(header + planes.tobytes(), LEVEL)


def shape_of(packed: bytes) -> tuple[int, ...]:
    """The shape that the bytes state, without unpacking the values; () if they are damaged."""
    content, _ = inflated(packed, 4 + 4 * MOST_AXES)
    axes = struct.unpack_from("<I", content)[0] if len(content) >= 4 else 0
    if not 0 < axes <= MOST_AXES or len(content) < 4 + 4 * axes:
        return ()
    return struct.unpack_from(f"<{axes}I", content, 4)


def unpack(packed: bytes, kind: type[np.generic]) -> NDArray[Any]:
    """The table of this kind, float32 or uint8; an empty object array if the bytes do not hold one."""
    shape, itemsize = shape_of(packed), np.dtype(kind).itemsize
    start = 4 + 4 * len(shape)
    size = start + math.prod(shape) * itemsize
    content, is_whole = inflated(packed, size + 1) if shape and size <= LARGEST else (b"", False)
    if not is_whole or len(content) != size:
        return np.empty(0, object)
    values = np.frombuffer(content, np.uint8, offset=start)
    if itemsize == 1:
        return values.reshape(shape)
    floats = np.ascontiguousarray(values.reshape(itemsize, -1).T).view(_FLOAT)
    columns = floats.reshape(shape[-1], *shape[:-1])
    return np.ascontiguousarray(np.moveaxis(columns, 0, -1)).astype(np.float32, copy=False)


def inflated(packed: bytes, most: int) -> tuple[bytes, bool]:
    """At most this many bytes of what zlib packed, and whether they are all of it."""
    inflating = zlib.decompressobj()
    try:
        content = inflating.decompress(packed, most)
    except zlib.error:
        return b"", False
    return content, inflating.eof
