"""Our checksum of a record is the one that TensorBoard computes byte by byte."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from tb_activations.events.checksums import masked


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=700))
def test_any_bytes(data: bytes) -> None:
    assert masked(data) == masked_crc32c(data)


def test_the_published_check_value() -> None:
    # CRC-32C of "123456789" is 0xE3069283 in every catalog.
    assert masked(b"123456789") == (((0xE3069283 >> 15) | (0xE3069283 << 17)) + 0xA282EAD8) & 0xFFFFFFFF
