"""Decoded runs from TensorBoard's data provider: each is read once and cached while there is room."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import threading
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from tensorboard.data.provider import TensorTimeSeries

from tb_activations.events import schema, sequences
from tb_activations.events.assemble import decode, describe, remembering
from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.json_codec import run_from_json
from tb_activations.events.run import Run
from tb_activations.events.series import Series
from tb_activations.plugin.errors import ApiError, CannotReadError, ErrorKind, OversizedRunError, kind_of
from tb_activations.plugin.memory import LARGE, give_back
from tb_activations.plugin.source import Source, Tags
from tb_activations.records.specs import RunSpec

OVERVIEW = frozenset({schema.STEP, schema.FINDINGS, schema.EPOCH, schema.STATE})
LATEST = frozenset({schema.OUTCOMES, schema.TRAINING})
TABLES = frozenset(
    {
        schema.LAYERS,
        schema.WEIGHTS,
        schema.STEP,
        schema.OUTCOMES,
        schema.TRAINING,
        schema.FINDINGS,
        schema.COST,
    }
)
UNITS = frozenset({schema.STEP, schema.UNITS})
EPOCHS = frozenset({schema.STEP, schema.EPOCH})
HISTOGRAMS = frozenset({schema.STEP, schema.HISTOGRAMS})
SEQUENCES = frozenset({schema.STEP, schema.SEQUENCES})
"""Tags that each group of routes reads, so that no route waits for tags it does not show. Of `LATEST` only the last
point is read."""

ALL_POINTS = 1_000_000
READ_BYTES = 128 * 2**20
"""In one answer of the data provider; TensorBoard's own client refuses more than twice that."""
CACHE_BYTES = 512 * 2**20
TEXT_BYTES = 32 * 2**20
"""Limit on the distinct descriptions of a run, its findings at one step, or the metadata of a tag: parsed JSON takes
many times as much memory as its text."""

FIRST_PORTION, LARGEST_PORTION = 16, 512
"""Runs requested at once from the data provider: each request takes about 40 ms, however small the answer."""
PORTION_BYTES = 32 * 2**20
"""Target size of the runs decoded from one such answer; it sets the size of the next portion."""

_PACKED_SHARE = 0.5
"""Upper bound for the tables of real networks. If an answer is too large for the provider, it is asked for less."""
_OBJECTS = 8
"""Approximate bytes in memory per byte of JSON."""
_LOCKS = 16


@dataclasses.dataclass(frozen=True)
class _Failure:
    """Why a run could not be decoded. Not the exception, whose traceback would keep all data alive that was read."""

    kind: ErrorKind
    reason: str


@dataclasses.dataclass(frozen=True)
class _Kept:
    """A decoded run, or why decoding failed; valid while its tags are in this state.

    Attributes:
        size: approximate bytes in memory.
    """

    state: object
    result: Run | _Failure
    size: int


@dataclasses.dataclass(frozen=True)
class _Line:
    """The line of a run in the list of runs; valid while its tags are in this state."""

    state: object
    about: object
    summary: dict[str, Any]


class Glance(NamedTuple):
    """What the list of runs reads of a run.

    Attributes:
        run: with the tags of `OVERVIEW`.
        latest: with those of `LATEST`; without such tags `run` itself.
    """

    run: Run
    latest: Run


class RunStore:
    """Cache of decoded runs that evicts the least recently used.

    Thread-safe: its own state changes only under locks, and the arrays of the runs, which concurrent requests share,
    are read-only.
    """

    def __init__(self, capacity: int = CACHE_BYTES) -> None:
        self._capacity = capacity
        self._runs: collections.OrderedDict[object, _Kept] = collections.OrderedDict()
        self._size = 0
        self._guard = threading.Lock()
        # Two concurrent listings would read everything twice.
        self._listing = threading.Lock()
        # Of the experiment listed last, as anybody can ask for any.
        self._lines: tuple[str, dict[str, _Line]] = "", {}
        # Requests for one run wait for the request that decodes it; requests for other runs rarely share a lock.
        self._decoding = [threading.Lock() for _ in range(_LOCKS)]

    def check(self, source: Source, run: str) -> dict[str, TensorTimeSeries]:
        """The tags of a run.

        Raises:
            ApiError: no run of that name has Layer Health records.
        """
        listed = source.tags(run).get(run)
        if not listed:
            raise ApiError(ErrorKind.UNKNOWN_RUN, f"no run {run!r} with Layer Health records")
        return listed

    def read(self, source: Source, run: str, tags: Collection[str], listed: Tags | None = None) -> Run:
        """The run, with the data of these tags only.

        Args:
            listed: all tags of the run; None asks the data provider for them.

        Raises:
            ApiError: no run of that name has Layer Health records.
            CannotReadError: it is damaged, too large, or was written by a newer version.
        """
        listed = self.check(source, run) if listed is None else listed
        wanted = _wanted(listed, tags)
        kept = self._decoded(
            _key(source, run, tags), _state(wanted), lambda: _read(source, run, wanted, _points_of(tags))
        )
        if isinstance(kept.result, _Failure):
            raise CannotReadError(run, kept.result.kind, kept.result.reason)
        return kept.result

    def overviews(
        self,
        source: Source,
        listed: Mapping[str, Tags],
        summarize: Callable[[str, Glance | CannotReadError], dict[str, Any]],
        about: Callable[[str], object] = lambda run: None,
    ) -> list[dict[str, Any]]:
        """Applies `summarize` to what the list of runs needs of each run, or to the error that prevents reading it.

        Runs are read in a few portions. A portion that cannot be read at once is split. A run is read again only once
        it has grown: the lines are kept, as the cache may be too small for all runs.

        Args:
            listed: all tags of each run.
            about: what else the line of a run depends on.
        """
        with self._listing:
            experiment, before = self._lines
            known = before if experiment == source.experiment else {}
            lines: dict[str, _Line] = {}
            for run, tags in listed.items():
                line = known.get(run)
                if line is not None and line.state == _state_of_line(tags) and line.about == about(run):
                    lines[run] = line
            names, size = [run for run in listed if run not in lines], FIRST_PORTION
            # Terminates: each iteration takes at least one name.
            while names:
                portion, names = names[:size], names[size:]
                own = {run: listed[run] for run in portion}
                judged = {run: tags for run, tags in own.items() if _is_judged(tags)}
                decoded = self._read_portion(source, own, OVERVIEW) + self._read_portion(source, judged, LATEST)
                for run in portion:
                    try:
                        summary = summarize(run, self._glance(source, run, listed[run]))
                    except CannotReadError as error:
                        summary = summarize(run, error)
                    lines[run] = _Line(_state_of_line(listed[run]), about(run), summary)
                fitting = len(portion) * PORTION_BYTES // max(decoded, 1)
                size = max(1, min(4 * len(portion), fitting, LARGEST_PORTION))
            self._lines = source.experiment, lines
        return [lines[run].summary for run in listed]

    def _glance(self, source: Source, run: str, listed: Tags) -> Glance:
        whole = self.read(source, run, OVERVIEW, listed)
        return Glance(whole, self.read(source, run, LATEST, listed) if _is_judged(listed) else whole)

    def _read_portion(self, source: Source, listed: Mapping[str, Tags], tags: Collection[str]) -> int:
        """Decodes and caches those of the runs that are not cached and can be read at once, with these tags.

        Returns:
            approximate bytes of the decoded runs.
        """
        wanted = {run: _wanted(own, tags) for run, own in listed.items()}
        unknown = [run for run in wanted if self._recall(_key(source, run, tags), _state(wanted[run])) is None]
        waiting, decoded, described = [unknown] if len(unknown) > 1 else [], 0, remembering(run_from_json)
        # Terminates: parts that are put back are half as long, and single runs are not put back.
        while waiting:
            part = waiting.pop()
            series = source.series_of_all(part, wanted, _points_of(tags))
            if series is None:
                middle = len(part) // 2
                waiting += [half for half in (part[middle:], part[:middle]) if len(half) > 1]
                continue
            for run in part:
                decode_own = partial(_decode, series.pop(run), run, described)
                decoded += self._decoded(_key(source, run, tags), _state(wanted[run]), decode_own).size
        return decoded

    def _decoded(self, key: object, state: object, make: Callable[[], tuple[Run | _Failure, int]]) -> _Kept:
        with self._decoding[hash(key) % _LOCKS]:
            kept = self._recall(key, state)
            if kept is None:
                kept = _Kept(state, *make())
                self._keep(key, kept)
                if kept.size >= LARGE:
                    give_back()
        return kept

    def _recall(self, key: object, state: object) -> _Kept | None:
        with self._guard:
            kept = self._runs.get(key)
            if kept is None or kept.state != state:
                return None
            self._runs.move_to_end(key)
            return kept

    def _keep(self, key: object, kept: _Kept) -> None:
        with self._guard:
            earlier = self._runs.pop(key, None)
            self._size += kept.size - (earlier.size if earlier else 0)
            self._runs[key] = kept
            while len(self._runs) > 1 and self._size > self._capacity:
                self._size -= self._runs.popitem(last=False)[1].size


def _wanted(listed: Tags, tags: Collection[str]) -> dict[str, TensorTimeSeries]:
    return {tag: listed[tag] for tag in listed if tag in tags or tag == schema.RUN}


def _key(source: Source, run: str, tags: Collection[str]) -> object:
    return source.experiment, run, frozenset(tags)


def _state(wanted: Tags) -> object:
    # As text, because a NaN time would differ from itself.
    return {tag: (series.max_step, repr(series.max_wall_time)) for tag, series in wanted.items()}


def _state_of_line(listed: Tags) -> object:
    return _state(_wanted(listed, OVERVIEW | LATEST))


def _is_judged(listed: Tags) -> bool:
    return not LATEST.isdisjoint(listed)


def _points_of(tags: Collection[str]) -> int:
    """How many points of each tag are read; the data provider keeps the last one in any case."""
    return 1 if tags == LATEST else ALL_POINTS


def _read(source: Source, run: str, listed: Tags, points: int) -> tuple[Run | _Failure, int]:
    """Reads the run tag by tag; the run or why it cannot be decoded, and its approximate size in bytes."""
    series: dict[str, Series] = {}
    try:
        # The description comes first: it determines the size of the points of all other tags.
        for tag in sorted(listed, key=lambda tag: tag != schema.RUN):
            _check_text(tag, len(listed[tag].plugin_content))
            series[tag] = source.series(run, tag, listed[tag].plugin_content, points)
            _check_text(tag, _text_bytes(tag, series[tag]))
            if tag == schema.RUN:
                points = min(points, _affordable_points(series[tag], listed))
    except UnreadableRunError as error:
        return _failed(error)
    return _decode(series, run, run_from_json)


def _decode(series: Mapping[str, Series], run: str, parse: Callable[[bytes], RunSpec]) -> tuple[Run | _Failure, int]:
    """The run or why it cannot be decoded, and its approximate size in bytes."""
    texts = 0
    try:
        for tag, own in series.items():
            _check_text(tag, len(own.content))
            size = _text_bytes(tag, own)
            _check_text(tag, size)
            texts += size
        decoded = decode(series, run, parse)
    except UnreadableRunError as error:
        return _failed(error)
    for member in vars(decoded).values():
        if isinstance(member, np.ndarray):
            member.flags.writeable = False
    return decoded, decoded.nbytes + _OBJECTS * texts


def _failed(error: UnreadableRunError) -> tuple[_Failure, int]:
    return _Failure(kind_of(error), str(error)), len(str(error))


def _text_bytes(tag: str, series: Series) -> int:
    """Size of the text to be parsed: all distinct descriptions; of any other tag the largest point."""
    texts = [
        [text for text in point.value.ravel().tolist() if isinstance(text, bytes)]
        for point in series.points
        if point.value.dtype == object
    ]
    if tag == schema.RUN:
        return sum(map(len, set(itertools.chain.from_iterable(texts))))
    return max((sum(map(len, each)) for each in texts), default=0)


def _check_text(tag: str, size: int) -> None:
    if size > TEXT_BYTES:
        raise OversizedRunError(f"{tag} holds {size} bytes of text, the limit is {TEXT_BYTES}")


def _affordable_points(description: Series, tags: Tags) -> int:
    """How many points of a tag fit into one answer of the provider; the same for all tags, so that steps match."""
    spec = describe(description)
    layers = len(spec.layers)
    sizes = {
        schema.LAYERS: layers * len(schema.COLUMNS[schema.LAYERS]) * 4,
        schema.WEIGHTS: len(spec.weights) * len(schema.COLUMNS[schema.WEIGHTS]) * 4,
        schema.UNITS: 2 * spec.unit_count,
        schema.HISTOGRAMS: layers * schema.HISTOGRAM_SHAPE[0] * schema.HISTOGRAM_SHAPE[1] * 4,
        schema.SEQUENCES: layers * (1 + sequences.VALUES) * 4,
        schema.OUTCOMES: layers * max(1, len(spec.thresholds)),
    }
    largest = max((sizes.get(tag, 1) * _share(tag, tags[tag]) for tag in tags), default=1)
    return max(1, min(ALL_POINTS, int(READ_BYTES / max(1, largest))))


def _share(tag: str, listed: TensorTimeSeries) -> float:
    """How large the points of a tag are compared with their tables."""
    is_packed = tag in (*schema.PACKED, schema.UNITS) and schema.version(listed.plugin_content) > 1
    return _PACKED_SHARE if is_packed else 1.0
