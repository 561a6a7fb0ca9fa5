"""Memory that decoding has freed goes back to the system."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from tb_activations.plugin import memory


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_freed_memory_is_given_back() -> None:
    parts = [b"x" * (60_000 + number) for number in range(2000)]
    kept = parts[-1]
    del parts
    before = resident()
    memory.give_back()
    assert kept
    assert before - resident() > 30_000_000


@pytest.mark.parametrize("library", [object(), OSError()])
def test_another_c_library_gives_nothing_back(library: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: None) -> object:
        if isinstance(library, OSError):
            raise library
        return library

    monkeypatch.setattr(ctypes, "CDLL", load)
    memory.give_back()
