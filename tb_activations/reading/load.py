"""Loads a run, a folder of runs, or an event file."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Any, overload

from tb_activations.events.paths import local_path
from tb_activations.events.reader import load as load_one
from tb_activations.events.reader import run_names
from tb_activations.reading.one import read_files, read_folder
from tb_activations.reading.recorded_run import RecordedRun, recorded
from tb_activations.reading.runs import Runs


@overload
def load(path: str | os.PathLike[str], run: str) -> RecordedRun: ...


# `Any` is `Runs`. As `Runs` it would make everybody who loads one run rule out that there are several.
@overload
def load(path: str | os.PathLike[str], run: None = None) -> RecordedRun | Any: ...


def load(path: str | os.PathLike[str], run: str | None = None) -> RecordedRun | Runs:
    """Read a run, a folder of runs, or a single event file; needs no TensorFlow.

    Several event files of a folder are read in the order of their names. Reading a file stops at a damaged or
    incomplete record; the run has a remark about it, and damage is a warning as well. So a run can be loaded while it
    is being written, and loaded again to see more. Records of other writers are skipped; `RecordedRun.scalars` and
    `images` read them.

    Args:
        path: a run's folder, a folder above one or several, or an event file; "~" and "file://" are supported.
        run: name of the run below `path`, to read one of several.

    Returns:
        The run. For a folder with several runs (and no argument `run`) a mapping from names to runs, `Runs`.

        For a type checker, `load(path, run)` is a `RecordedRun`, and `load(path)` is one unless `isinstance(..., Runs)`
        says otherwise. `tb_activations.runs(path)` lists the runs of a folder, however many there are.

    Raises:
        FileNotFoundError: there is no such run.
        RemotePathError: `path` is not local (`gs://...`).
        SchemaError: a newer version of this package wrote the run.
        UnreadableRunError: the run's description cannot be read.
    """
    top = local_path(path)
    if top.is_file():
        found = read_files([top], top, top.parent.name)
        if found is None:
            raise FileNotFoundError(f"the event file {top} has no Layer Health records")
        return found
    if run is not None and _is_below(run):
        found = read_folder(top / run, run)
        if found is not None:
            return found
    names = run_names(top) if run is None else []
    if len(names) > 1:
        return Runs(top, names)
    found = read_folder(top / names[0], names[0]) if names else None
    # What remains are mistakes, which `load_one` explains.
    return found if found is not None else recorded(load_one(path, run), top)


def _is_below(run: str) -> bool:
    path = PurePosixPath(run)
    return path.as_posix() == run and not path.is_absolute() and ".." not in path.parts
