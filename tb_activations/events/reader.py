"""Event files back into runs, without TensorFlow."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.tensorflow_stub import errors
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New
from tensorboard.util.tensor_util import make_ndarray

from tb_activations.events import schema
from tb_activations.events.assemble import decode
from tb_activations.events.run import Run
from tb_activations.events.series import Point, Series

_FIRST_EVENTS = 64
"""The description of a run is among the first events of its file; no more are read to tell a run from other files."""
_KEPT = (schema.RUN, schema.STATE)
"""Tags of which every point counts."""


def load(logdir: str | os.PathLike[str], run: str | None = None) -> Run:
    """Read one run.

    Several event files in its folder are read in the order of their names; what follows a damaged or half-written
    record in a file is not read.

    Args:
        logdir: the run's folder, or a folder above it.
        run: which of the runs below `logdir`, as `runs` names them; may be left out when there is one.

    Raises:
        FileNotFoundError: there is no such run.
        ValueError: `run` is left out and there are several; the message names them.
        SchemaError: the run was written by a newer version of this package.
        UnreadableRunError: the run's description cannot be read.
    """
    names = runs(logdir)
    if run is not None and run not in names:
        raise FileNotFoundError(f"no run {run!r} below {os.fspath(logdir)}; the runs are {', '.join(names) or 'none'}")
    if not names:
        raise FileNotFoundError(
            f"no Layer Health run in {os.fspath(logdir)} or below it; give the log_dir that the LayerHealth callback "
            "was given, after at least one training step was observed"
        )
    if run is None and len(names) > 1:
        raise ValueError(f"{len(names)} runs below {os.fspath(logdir)}, choose one: {', '.join(names)}")
    name = names[0] if run is None else run
    return decode(_series(Path(logdir, name)), name)


def runs(logdir: str | os.PathLike[str]) -> list[str]:
    """Names of the runs with Layer Health records at or below `logdir`, sorted: paths relative to it, "." for itself.

    Empty when there are none or the folder does not exist. Links to folders are followed.
    """
    return sorted(folder.relative_to(logdir).as_posix() for folder in _folders(Path(logdir)) if _holds_a_run(folder))


def _folders(top: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for folder, below, _ in os.walk(top, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        yield Path(folder)


def _event_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if "tfevents" in path.name and path.is_file())


def _holds_a_run(folder: Path) -> bool:
    return any(
        value.tag == schema.RUN
        for path in _event_files(folder)
        for event in islice(_events(path), _FIRST_EVENTS)
        for value in event.summary.value
    )


def _events(path: Path) -> Iterator[Event]:
    reader = PyRecordReader_New(str(path))
    while True:
        try:
            reader.GetNext()
            event = Event.FromString(reader.record())
        except errors.OutOfRangeError:
            return
        except (errors.DataLossError, DecodeError) as error:
            # A record that ends with the file is one that is still being written, or was when the process died.
            if "truncated" not in str(error):
                warnings.warn(f"{path} is damaged; read up to there: {error}", stacklevel=2)
            return
        yield event


def _series(folder: Path) -> dict[str, Series]:
    return collect(chain.from_iterable(_events(path) for path in _event_files(folder)))


def collect(events: Iterable[Event]) -> dict[str, Series]:
    """The series of our own tags that the events hold."""
    contents: dict[str, bytes] = {}
    points: dict[str, list[Point]] = {}
    for event in events:
        for value in event.summary.value:
            if value.tag not in schema.COLUMNS:
                continue
            contents.setdefault(value.tag, value.metadata.plugin_data.content)
            points.setdefault(value.tag, []).append(Point(event.step, event.wall_time, _array(value.tensor)))
    return {tag: Series(contents[tag], points[tag]) for tag in contents}


def thinned(events: Iterable[Event], limit: int) -> list[Event]:
    """At most `limit` of the records, evenly spaced, with the first and the last; all that describe a tag, all states.

    What is not kept takes no memory, however many there are.
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
    """The tensor's values; empty for one whose shape promises another number of values than it holds."""
    sizes = [dimension.size for dimension in tensor.tensor_shape.dim]
    # Checked first: TensorFlow lets a single value stand for a tensor of any size, which a few bytes can make huge.
    held = len(tensor.string_val) or len(tensor.tensor_content)
    if min(sizes, default=0) < 0 or held < int(np.prod(sizes, dtype=object)):
        return np.empty(0, object)
    try:
        array: NDArray[Any] = make_ndarray(tensor)
    except (TypeError, ValueError):
        return np.empty(0, object)
    return array
