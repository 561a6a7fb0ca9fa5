"""A progress bar for commands that read many runs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")

FEWEST = 30
"""Smallest number of folders with a progress bar."""


def with_bar(folders: Sequence[T]) -> Iterable[T]:
    """Iterates over the folders, with a progress bar on standard error if that is a terminal."""
    if len(folders) < FEWEST or not sys.stderr.isatty():
        return folders
    return track(folders, "Reading runs", console=Console(stderr=True), transient=True)
