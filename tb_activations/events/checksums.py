"""A fast CRC-32C for long records; TensorBoard's Python function handles one byte at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import CRC_TABLE, masked_crc32c

BLOCK = 256
"""Bytes whose contribution is looked up in one table access each."""
PORTION = 1024 * BLOCK
"""Bytes expanded to table positions at a time; bounds the memory."""
SHORT = 128
"""Up to this many bytes TensorBoard's loop is faster."""

_ALL = 0xFFFFFFFF


def _table() -> NDArray[np.uint32]:
    """`[BLOCK, 256]`: the contribution of each byte at each position of a block to the register after the block."""
    single = np.array(CRC_TABLE, np.uint32)
    table = np.empty((BLOCK, 256), np.uint32)
    table[-1] = single
    for position in range(BLOCK - 2, -1, -1):
        later = table[position + 1]
        table[position] = single[later & 255] ^ (later >> 8)
    return table


_TABLE = _table()
_FIRST_ROWS: list[list[int]] = _TABLE[:4].tolist()


def masked(data: bytes) -> int:
    """The checksum of `data` as event files store it: CRC-32C, rotated, plus a constant."""
    if len(data) <= SHORT:
        checksum: int = masked_crc32c(data)
        return checksum
    raw = _ALL ^ _register(data)
    return (((raw >> 15) | (raw << 17)) + 0xA282EAD8) & _ALL


def _register(data: bytes) -> int:
    # Starting the register with ones equals starting with zeros and inverting the first four bytes. Leading zeros leave
    # a zero register unchanged, so the data may be padded at the front to whole blocks.
    blocks = np.zeros(-(-len(data) // BLOCK) * BLOCK, np.uint8)
    start = len(blocks) - len(data)
    blocks[start:] = np.frombuffer(data, np.uint8)
    blocks[start : start + 4] ^= 0xFF
    first, second, third, fourth = _FIRST_ROWS
    register = 0
    for portion in range(0, len(blocks), PORTION):
        for own in _of_blocks(blocks[portion : portion + PORTION]):
            # The register before a block acts as if it were XORed onto the first four bytes of the block.
            register = (
                first[register & 255]
                ^ second[register >> 8 & 255]
                ^ third[register >> 16 & 255]
                ^ fourth[register >> 24]
                ^ own
            )
    return register


def _of_blocks(blocks: NDArray[np.uint8]) -> list[int]:
    """The register after each block alone, starting from zeros."""
    places = blocks.reshape(-1, BLOCK) + np.arange(BLOCK, dtype=np.int32) * 256
    registers: list[int] = np.bitwise_xor.reduce(_TABLE.ravel().take(places), axis=1).tolist()
    return registers
