"""Tables are packed without loss; damaged bytes give no table and cost no memory."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tb_activations.events.packing import LARGEST, MOST_AXES, pack, shape_of, unpack

SHAPES = arrays.array_shapes(min_dims=1, max_dims=MOST_AXES, min_side=0, max_side=6)


@settings(max_examples=100, deadline=None)
@given(arrays.arrays(np.float32, SHAPES))
def test_floats_come_back_bit_by_bit(table: np.ndarray) -> None:
    packed = pack(table)
    assert shape_of(packed) == table.shape
    assert unpack(packed, np.float32).tobytes() == table.tobytes()


@settings(max_examples=50, deadline=None)
@given(arrays.arrays(np.uint8, SHAPES))
def test_bytes_come_back(table: np.ndarray) -> None:
    np.testing.assert_array_equal(unpack(pack(table), np.uint8), table)


def test_columns_that_hardly_change_take_few_bytes() -> None:
    table = np.full((176, 22), np.nan, np.float32)
    table[:, 0] = 0.5
    assert len(pack(table)) < table.nbytes / 50


def packed_bytes(*header: int, content: bytes = b"") -> bytes:
    return zlib.compress(struct.pack(f"<{len(header)}I", *header) + content)


DAMAGED = {
    "nothing": b"",
    "no zlib": b"no zlib",
    "cut": pack(np.ones((20, 3), np.float32))[:-4],
    "no shape": packed_bytes(),
    "no axis": packed_bytes(0),
    "many axes": packed_bytes(MOST_AXES + 1, *[1] * (MOST_AXES + 1), content=bytes(4)),
    "half a shape": packed_bytes(2, 3),
    "too few values": packed_bytes(1, 3, content=bytes(8)),
    "too many values": packed_bytes(1, 1, content=bytes(8)),
    "huge": packed_bytes(2, 2**31, 2**31),
}


@pytest.mark.parametrize("packed", DAMAGED.values(), ids=DAMAGED)
def test_damaged_bytes_give_no_table(packed: bytes) -> None:
    assert unpack(packed, np.float32).dtype == object


def test_more_than_the_limit_is_not_unpacked() -> None:
    packed = packed_bytes(1, LARGEST + 1, content=bytes(LARGEST + 1))
    assert len(packed) < LARGEST / 500
    assert unpack(packed, np.uint8).dtype == object


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_raise(content: bytes) -> None:
    for packed in (content, zlib.compress(content)):
        unpack(packed, np.float32)
        shape_of(packed)
