"""Reads one run with remarks about its files."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from tb_activations.events.files import event_files
from tb_activations.events.reader import load_folder
from tb_activations.events.record_file import unfinished_bytes
from tb_activations.reading.recorded_run import RecordedRun, recorded


def read_folder(path: Path, name: str) -> RecordedRun | None:
    """The run in this folder, None if there is none.

    Raises:
        OSError: a file cannot be read.
        SchemaError, UnreadableRunError: as `load`.
    """
    return read_files(event_files(path) if path.is_dir() else [], path, name)


def read_files(files: Sequence[Path], path: Path, name: str) -> RecordedRun | None:
    """The run in these event files; `path` is where people look for it. Damage is a remark and a warning."""
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run = load_folder(files, name)
    finally:
        for warning in caught:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if run is None:
        return None
    remarks = [str(warning.message) for warning in caught]
    return recorded(
        run, path, [*remarks, *(_unfinished(file) for file in files if not caught and unfinished_bytes(file))]
    )


def _unfinished(file: Path) -> str:
    return f"the last record of {file.name} is incomplete: it is being written, or the process that wrote it was killed"
