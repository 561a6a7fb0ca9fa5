"""CRC-32C of long records, which TensorBoard's own Python function takes byte by byte."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import CRC_TABLE, masked_crc32c

BLOCK = 256
"""Bytes whose part of the checksum is looked up at once."""
PORTION = 1024 * BLOCK
"""Bytes that are in memory as positions of the table."""
SHORT = 128
"""Bytes up to which the loop is faster."""

_ALL = 0xFFFFFFFF


def _table() -> NDArray[np.uint32]:
    """`[BLOCK, 256]`: what a byte at each position of a block does to the register after the block."""
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
    """The checksum of `data` as event files hold it: CRC-32C, rotated, plus a constant."""
    if len(data) <= SHORT:
        checksum: int = masked_crc32c(data)
        return checksum
    raw = _ALL ^ _register(data)
    return (((raw >> 15) | (raw << 17)) + 0xA282EAD8) & _ALL


def _register(data: bytes) -> int:
    # The register begins with ones, which is the same as zeros with the first four bytes inverted; zeros in front of
    # the data leave a register of zeros as it is, so the blocks can end where the data do.
    blocks = np.zeros(-(-len(data) // BLOCK) * BLOCK, np.uint8)
    start = len(blocks) - len(data)
    blocks[start:] = np.frombuffer(data, np.uint8)
    blocks[start : start + 4] ^= 0xFF
    first, second, third, fourth = _FIRST_ROWS
    register = 0
    for portion in range(0, len(blocks), PORTION):
        for own in _of_blocks(blocks[portion : portion + PORTION]):
            # What came before a block acts on it as if it were part of the block's first four bytes.
            register = (
                first[register & 255]
                ^ second[register >> 8 & 255]
                ^ third[register >> 16 & 255]
                ^ fourth[register >> 24]
                ^ own
            )
    return register


def _of_blocks(blocks: NDArray[np.uint8]) -> list[int]:
    """The register after each block on its own, from zeros."""
    places = blocks.reshape(-1, BLOCK) + np.arange(BLOCK, dtype=np.int32) * 256
    registers: list[int] = np.bitwise_xor.reduce(_TABLE.ravel().take(places), axis=1).tolist()
    return registers
