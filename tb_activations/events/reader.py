"""Reads runs from event files, without TensorFlow."""

from __future__ import annotations

import dataclasses
import math
import os
import warnings
from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_UINT8
from tensorboard.util.tensor_util import make_ndarray

from tb_activations.events import schema
from tb_activations.events.assemble import decode
from tb_activations.events.files import Folder, event_files, folders, is_ours, own_events
from tb_activations.events.paths import local_path
from tb_activations.events.run import Run
from tb_activations.events.series import Point, Series
from tb_activations.events.whereabouts import no_run

_OWN_TYPES: dict[int, np.dtype[Any]] = {DT_FLOAT: np.dtype("<f4"), DT_UINT8: np.dtype(np.uint8)}

_KEPT = (schema.RUN, schema.STATE, schema.EPOCH)
"""Tags of which thinning keeps every point."""

_NAMED = 20
"""Runs listed in a message."""


def load(logdir: str | os.PathLike[str], run: str | None = None) -> Run:
    """Read one run from its event files; needs no TensorFlow.

    If the folder has several event files they are read in the order of their names. Reading a file stops at a damaged
    or incomplete record. Files of other writers are skipped.

    Args:
        logdir: the run's folder or a folder above it; "~" and "file://" are supported.
        run: name of the run below `logdir`, as in `run_names`; optional if there is only one.

    Raises:
        FileNotFoundError: there is no such run.
        NotADirectoryError: `logdir` is a file.
        RemotePathError: `logdir` is not a local folder (`gs://...`).
        ValueError: `run` is missing and there are several; the message lists them.
        SchemaError: a newer version of this package wrote the run.
        UnreadableRunError: the run's description cannot be read.
    """
    top = local_path(logdir)
    if run is not None and _is_name(run) and os.path.isdir(top / run):
        found = load_folder(event_files(top / run), run)
        if found is not None:
            return found
    names = run_names(top)
    if not names:
        raise no_run(top)
    if run is not None:
        raise FileNotFoundError(f"no run {run!r} in {top}; the runs are {_listed(names)}")
    if len(names) > 1:
        raise ValueError(f"{len(names)} runs in {top}, choose one: {_listed(names)}")
    found = load_folder(event_files(top / names[0]), names[0])
    if found is None:
        raise FileNotFoundError(f"the run {names[0]!r} in {top} has just been deleted")
    return found


def run_names(logdir: str | os.PathLike[str]) -> list[str]:
    """Names of all Layer Health runs at or below `logdir`, sorted: paths relative to it, "." for `logdir` itself.

    Empty if there are none or the folder does not exist. Links to folders are followed; a warning names files and
    folders that cannot be opened. Only the first events of each file are read.

    Raises:
        RemotePathError: `logdir` is not a local folder.
    """
    top = local_path(logdir)
    names = []
    for folder in folders(top):
        if folder.closed:
            warnings.warn(f"cannot open the folder {folder.path}: {folder.closed}", stacklevel=2)
        elif any(map(_is_ours, folder.files)):
            names.append(name_of(folder, top))
    return sorted(names)


def name_of(folder: Folder, top: Path) -> str:
    """The name of the run in `folder`, relative to `top`."""
    return folder.path.relative_to(top).as_posix()


def load_folder(files: Sequence[Path], name: str, tags: Collection[str] = schema.COLUMNS) -> Run | None:
    """The run in these event files of one folder, None if this package wrote none of them; each is opened once.

    Args:
        files: sorted by name.
        name: of the run.
        tags: the tags to decode; others count as never measured. The description is always read.

    Raises:
        OSError: a file cannot be read.
        SchemaError: a newer version of this package wrote the run.
        UnreadableRunError: the run's description cannot be read.
    """
    events = chain.from_iterable(map(own_events, files))
    first = next(events, None)
    if first is None:
        return None
    run = decode(collect(chain([first], events), tags), name)
    return dataclasses.replace(run, files=tuple(files))


def _is_ours(path: Path) -> bool:
    try:
        return is_ours(path)
    except OSError as error:
        warnings.warn(f"cannot open the event file {path}: {error.strerror}", stacklevel=2)
        return False


def _is_name(run: str) -> bool:
    path = PurePosixPath(run)
    return path.as_posix() == run and not path.is_absolute() and ".." not in path.parts


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def collect(events: Iterable[Event], tags: Collection[str] = schema.COLUMNS) -> dict[str, Series]:
    """The series of this package's tags; for tags not in `tags` the metadata only."""
    contents: dict[str, bytes] = {}
    points: dict[str, list[Point]] = {}
    for event in events:
        for value in event.summary.value:
            tag = value.tag
            if tag not in schema.COLUMNS:
                continue
            if tag not in contents:
                contents[tag], points[tag] = value.metadata.plugin_data.content, []
            if tag in tags or tag == schema.RUN:
                points[tag].append(Point(event.step, event.wall_time, _array(value.tensor)))
    return {tag: Series(contents[tag], points[tag]) for tag in contents}


def thinned(events: Iterable[Event], limit: int) -> list[Event]:
    """At most `limit` records, evenly spaced, plus the last one; all states and all events with a tag's metadata.

    Memory is bounded by what is kept, not by the number of events.
    """
    describing: dict[int, Event] = {}
    spaced: dict[int, Event] = {}
    last: dict[int, Event] = {}
    every = 1
    for place, event in enumerate(events):
        own = [value for value in event.summary.value if value.tag in schema.COLUMNS]
        if any(value.tag in _KEPT or value.metadata.plugin_data.content for value in own):
            describing[place] = event
        elif any(value.tag == schema.LAYERS for value in own):
            last = {place: event}
            if place % every == 0:
                spaced[place] = event
        while len(spaced) > limit:
            every *= 2
            spaced = {place: old for place, old in spaced.items() if place % every == 0}
    chosen = describing | spaced | last
    return [chosen[place] for place in sorted(chosen)]


def _array(tensor: TensorProto) -> NDArray[Any]:
    """The tensor's values; empty if its shape does not match the number of values in it."""
    sizes = [dimension.size for dimension in tensor.tensor_shape.dim]
    # Checked first: TensorFlow expands a single value to any size, so a few bytes could claim a huge tensor.
    held = len(tensor.string_val) or len(tensor.tensor_content)
    count = math.prod(sizes)
    if min(sizes, default=0) < 0 or held < count:
        return np.empty(0, object)
    own = _OWN_TYPES.get(tensor.dtype)
    if own is not None and count and len(tensor.tensor_content) == count * own.itemsize:
        # The encoding that this package writes; four times as fast as `make_ndarray`.
        return np.frombuffer(tensor.tensor_content, own).reshape(sizes)
    try:
        array: NDArray[Any] = make_ndarray(tensor)
    except (TypeError, ValueError):
        return np.empty(0, object)
    return array
