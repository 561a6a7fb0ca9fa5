"""Returns memory to the operating system."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

LARGE = 2**20
"""Bytes of a decoded run from which giving back is worth its milliseconds."""


def give_back() -> None:
    """Returns what was freed to the system, where the C library can (glibc); does nothing elsewhere.

    Decoding a run takes several times the memory of the result, and glibc keeps most of it: 50 of 230 MiB with three
    runs of ResNet50.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


def _trim() -> Callable[[int], int] | None:
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # Another C library, or Windows.
        return None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    known: Callable[[int], int] = trim
    return known
