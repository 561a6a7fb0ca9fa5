"""Explains why no run was found in a log directory."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from tb_activations.events.files import folders

_WHAT_TO_DO = "give the log_dir of the LayerHealth callback, after at least one observed training step"


def no_run(top: Path) -> OSError:
    """The error for a folder without runs: what was found at or below `top`, and what to do."""
    if os.path.isfile(top):
        return NotADirectoryError(f"{top} is a file; give its folder: {top.parent}")
    if not os.path.isdir(top):
        return FileNotFoundError(_no_folder(top))
    return FileNotFoundError(f"no Layer Health run in {top} or below it: {_found(top)}; {_WHAT_TO_DO}")


def no_event_file(top: Path) -> OSError:
    """The error for a path that is no event file and has none below it."""
    if not os.path.isdir(top):
        return FileNotFoundError(_no_folder(top))
    return FileNotFoundError(f"no event file in {top} or below it: {_found(top)}")


def _no_folder(top: Path) -> str:
    try:
        top.stat()
    except FileNotFoundError:
        pass
    except OSError as error:
        return f"cannot open the folder {top}: {error.strerror}"
    similar = difflib.get_close_matches(top.name, _names_in(top.parent), 1)
    return f"there is no folder {top}" + (f"; did you mean {top.parent / similar[0]}?" if similar else "")


def _names_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []


def _found(top: Path) -> str:
    listed = list(folders(top))
    closed = [folder for folder in listed if folder.closed]
    if closed:
        return f"cannot open {_count(len(closed), 'folder')}, first {closed[0].path} ({closed[0].closed})"
    files = [path for folder in listed for path in folder.files]
    if any(map(_has_content, files)):
        return f"{_count(len(files), 'event file')} without Layer Health records, first {files[0]}"
    if files:
        return f"{_count(len(files), 'event file')} without content, first {files[0]}"
    below = len(listed) - 1
    return "no event files" + (f", searched {_count(below, 'folder')} below it" if below else "")


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
