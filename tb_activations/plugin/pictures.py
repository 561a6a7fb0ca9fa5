"""Pictures of a run from TensorBoard's own image series, without the values behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tensorboard.data.provider import BlobSequenceDatum, BlobSequenceTimeSeries

from tb_activations.events.errors import UnreadableRunError
from tb_activations.plugin.bounds import MOST_PICTURE_SERIES, Omissions, with_clipped_texts
from tb_activations.plugin.errors import ApiError, CannotReadError, ErrorKind, TooLargeError, kind_of
from tb_activations.plugin.source import Source

MOST_STEPS = 1000
"""Per series; TensorBoard keeps 10 unless configured otherwise."""
MOST_VALUES = 1000
"""Per point, according to the shape in the file: TensorBoard's Python loader allocates all of them on reading."""
LARGEST_PICTURE = 32 * 2**20
"""Bytes."""
_SIZES = 2
"""Number of values in a sequence before the first picture: width and height."""
_MOST_SIZES = 2**14
_MOST_RUNS = 2**8


class Memory:
    """Remembers what TensorBoard's data server takes long to answer: tags of runs and sizes of pictures."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, float], int] = {}
        self._tags: dict[str, list[str]] = {}

    def tags(self, run: str) -> list[str]:
        """The series of pictures that the run had when they were last set, in ascending order."""
        return self._tags.get(run, [])

    def set_tags(self, run: str, tags: Sequence[str]) -> None:
        """Sets the series of pictures that a run has."""
        if len(self._tags) >= _MOST_RUNS:
            self._tags.clear()
        self._tags[run] = list(tags)

    def size(self, source: Source, datum: BlobSequenceDatum) -> list[int]:
        """Of one picture: width and height in pixels according to the file, 0 for what is not a number."""
        return [self._length(source, datum, axis) for axis in range(_SIZES)]

    def _length(self, source: Source, datum: BlobSequenceDatum, axis: int) -> int:
        # A run that is written again may have a picture of another size at the same step.
        key = (datum.values[axis].blob_key, datum.wall_time)
        known = self._known.get(key)
        if known is None:
            text = source.blob(datum.values[axis])
            known = int(text) if text.isdigit() and len(text) <= 5 else 0
            if len(self._known) >= _MOST_SIZES:
                self._known.clear()
            self._known[key] = known
        return known


def listing(source: Source, run: str, memory: Memory, check: Callable[[], object]) -> dict[str, Any]:
    """The answer of `pictures`, by tag.

    Args:
        check: raises an error if the run does not exist.

    Raises:
        CannotReadError: TensorBoard cannot list them.
    """
    # TensorBoard's data server takes 44 ms for all but the shortest answers, and answers several questions at once. So
    # the pictures that the run had last time are read while it is asked which ones there are.
    with ThreadPoolExecutor(2) as aside:
        listed = aside.submit(_series, source, run)
        expected = memory.tags(run)
        early = aside.submit(_read, source, run, expected)
        check()
        series = listed.result()
    tags = sorted(tag for tag in series if _is_modest(series[tag]))
    asked = tags[:MOST_PICTURE_SERIES]
    read = early.result() if asked == expected else _read(source, run, asked)
    memory.set_tags(run, asked)
    left_out = Omissions()
    found = {tag: data for tag in asked if (data := _pictured(read.get(tag, ())))}
    entries = (_entry(tag, series[tag].description, data, memory.size(source, data[-1])) for tag, data in found.items())
    unread = len(series) - len(asked)
    kept = left_out.fitting("pictures", entries, len(found) + unread, MOST_PICTURE_SERIES)
    return {"run": run, "pictures": kept, "left_out": left_out.counts}


def picture(source: Source, run: str, tag: str, step: int) -> bytes:
    """The encoded picture of one step.

    Raises:
        ApiError: the run has no such tag, or no picture at this step.
        TooLargeError: it has more bytes than the server sends.
        CannotReadError: TensorBoard cannot list the run's pictures.
    """
    series = _series(source, run)
    if tag not in series:
        raise ApiError(ErrorKind.UNKNOWN_PICTURE, f"no picture {tag!r} in run {run!r}")
    if not _is_modest(series[tag]):
        raise TooLargeError(f"picture {tag!r} in run {run!r} claims more than {MOST_VALUES} values per step")
    data = _pictured(source.picture_points(run, [tag], MOST_STEPS).get(tag, ()))
    datum = next((datum for datum in data if datum.step == step), None)
    content = b"" if datum is None else source.blob(datum.values[_SIZES])
    if not content:
        raise ApiError(ErrorKind.UNKNOWN_PICTURE, f"TensorBoard has no picture {tag!r} at step {step} of run {run!r}")
    if len(content) > LARGEST_PICTURE:
        raise TooLargeError(f"picture {tag!r} at step {step} has {len(content)} bytes, the limit is {LARGEST_PICTURE}")
    return content


def _read(source: Source, run: str, tags: Sequence[str]) -> dict[str, Sequence[BlobSequenceDatum]]:
    # A filter without tags would match nothing.
    return source.picture_points(run, tags, MOST_STEPS) if tags else {}


def _series(source: Source, run: str) -> dict[str, BlobSequenceTimeSeries]:
    try:
        return source.pictures(run)
    except UnreadableRunError as error:
        raise CannotReadError(run, kind_of(error), str(error)) from error


def _is_modest(series: BlobSequenceTimeSeries) -> bool:
    return series.max_length is None or series.max_length <= MOST_VALUES


def _entry(tag: str, description: str, data: Sequence[BlobSequenceDatum], size: Sequence[int]) -> dict[str, Any]:
    kind, _, subject = tag.partition("/")
    return {
        **with_clipped_texts({"tag": tag, "kind": kind, "subject": subject, "description": description}),
        "steps": [datum.step for datum in data],
        "wall_times": [datum.wall_time for datum in data],
        "size": size,
    }


def _pictured(data: Sequence[BlobSequenceDatum]) -> list[BlobSequenceDatum]:
    """In ascending order of steps; if a step was written several times, the last one counts."""
    by_step = {datum.step: datum for datum in data if len(datum.values) > _SIZES}
    return [by_step[step] for step in sorted(by_step)]
