"""How far a command is that reads many runs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")

FEWEST = 30
"""Folders worth a bar; fewer are read before one could look at it."""


def with_bar(folders: Sequence[T]) -> Iterable[T]:
    """The folders one after the other, with a bar on the standard error output if that is a terminal."""
    if len(folders) < FEWEST or not sys.stderr.isatty():
        return folders
    return track(folders, "Reading runs", console=Console(stderr=True), transient=True)
