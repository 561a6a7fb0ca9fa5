"""The mutes of a run, in a small JSON file next to its event files; `docs/events.md` has the format."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tb_activations.records.finding import Severity
from tb_activations.records.mute import Mute, Mutes, mutes_of

NAME = "layer_health_mutes.json"
FORMAT = 1
MOST_MUTES = 1000
LONGEST_NOTE = 1000
"""Characters."""
LONGEST_NAME = 16_384
"""Characters of a rule or layer."""
LARGEST_FILE = 2**20
"""Bytes."""


class MutesError(ValueError):
    """The file is not one that this package writes; the text says why without quoting it."""


def read_mutes(folder: Path) -> Mutes:
    """The mutes of the run in this folder; empty if there is no file.

    Raises:
        MutesError: the file has other content or is too large.
        OSError: the file cannot be read.
    """
    path = folder / NAME
    # Opening a named pipe would block, and a device never ends.
    if not path.is_file():
        if os.path.lexists(path):
            raise MutesError(f"{NAME} is not a regular file")
        return {}
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise MutesError(f"{NAME} is larger than {LARGEST_FILE} bytes")
    return _decode(content)


def write_mutes(folder: Path, mutes: Mutes) -> None:
    """Replaces the mutes of the run in this folder at once: a reader sees the old or the new ones.

    Not for two writers at the same time. Links are replaced, not followed.

    Raises:
        MutesError: they are too many or too large for the file.
        OSError: the folder cannot be written to.
    """
    content = _encode(mutes)
    if len(mutes) > MOST_MUTES or len(content) > LARGEST_FILE:
        raise MutesError(f"{NAME} holds at most {MOST_MUTES} mutes and {LARGEST_FILE} bytes")
    scratch = folder / f".{NAME}.{os.getpid()}"
    # What an earlier process of this number left behind.
    scratch.unlink(missing_ok=True)
    try:
        with scratch.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, folder / NAME)
    finally:
        scratch.unlink(missing_ok=True)


def _encode(mutes: Mutes) -> bytes:
    entries = [dataclasses.asdict(mute) for mute in mutes.values()]
    return (json.dumps({"format": FORMAT, "mutes": entries}, indent=1) + "\n").encode()


def _decode(content: bytes) -> Mutes:
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MutesError(f"{NAME} is not JSON") from error
    if not isinstance(whole, Mapping) or whole.get("format") != FORMAT:
        raise MutesError(f"{NAME} is not of format {FORMAT}, which this version reads")
    entries = whole.get("mutes")
    if not isinstance(entries, list) or len(entries) > MOST_MUTES:
        raise MutesError(f'{NAME} has no list "mutes" of at most {MOST_MUTES} entries')
    return mutes_of(_mute(entry, place) for place, entry in enumerate(entries))


def _mute(entry: Any, place: int) -> Mute:
    if not isinstance(entry, Mapping):
        raise MutesError(f"entry {place} of {NAME} is not an object")
    for name, longest in (("rule", LONGEST_NAME), ("layer", LONGEST_NAME), ("note", LONGEST_NOTE)):
        text = entry.get(name)
        if not isinstance(text, str) or len(text) > longest:
            raise MutesError(f'"{name}" of entry {place} of {NAME} is not a text of at most {longest} characters')
    if entry.get("severity") not in list(Severity):
        raise MutesError(f'"severity" of entry {place} of {NAME} is not one of {", ".join(Severity)}')
    time = entry.get("time")
    if isinstance(time, bool) or not isinstance(time, int | float) or not math.isfinite(time):
        raise MutesError(f'"time" of entry {place} of {NAME} is not a number')
    return Mute(entry["rule"], entry["layer"], Severity(entry["severity"]), entry["note"], float(time))
