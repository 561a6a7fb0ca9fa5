"""Our checksum of long records is the one that TensorBoard computes byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from tb_activations.events.checksums import BLOCK, PORTION, SHORT, masked


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=3 * BLOCK))
def test_any_bytes(data: bytes) -> None:
    assert masked(data) == masked_crc32c(data)


@pytest.mark.parametrize("edge", [4, SHORT, BLOCK, 2 * BLOCK, PORTION])
@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("byte", [0, 0xFF, 0x5A])
def test_lengths_at_the_edges(edge: int, more: int, byte: int) -> None:
    data = bytes([byte]) * (edge + more)
    assert masked(data) == masked_crc32c(data)


def test_the_published_check_value() -> None:
    # CRC-32C of "123456789" is 0xE3069283 in every catalog; a long text passes through the blocks.
    assert masked(b"123456789") == (((0xE3069283 >> 15) | (0xE3069283 << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked(b"123456789" * 100) == masked_crc32c(b"123456789" * 100)
    assert masked(b"123456789" * 100) != masked(b"123456789" * 99 + b"123456788")
