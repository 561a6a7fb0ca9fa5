"""Runs out of TensorBoard's data provider, each read once and kept while there is room."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import threading
from collections.abc import Collection

import numpy as np
from tensorboard.data.provider import TensorTimeSeries

from tb_activations.events import schema
from tb_activations.events.assemble import decode, describe
from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.run import Run
from tb_activations.events.series import Series
from tb_activations.plugin.errors import CannotReadError, UnknownError
from tb_activations.plugin.source import Source, Tags

OVERVIEW = frozenset({schema.STEP, schema.FINDINGS})
TABLES = frozenset({schema.LAYERS, schema.WEIGHTS, schema.STEP, schema.OUTCOMES, schema.FINDINGS, schema.COST})
UNITS = frozenset({schema.STEP, schema.UNITS})
HISTOGRAMS = frozenset({schema.STEP, schema.HISTOGRAMS})
"""What the routes read, so that none waits for tags it does not show."""

ALL_POINTS = 1_000_000
READ_BYTES = 128 * 2**20
"""Of one answer of the data provider; TensorBoard's own client refuses more than twice that."""
CACHE_BYTES = 512 * 2**20
TEXT_BYTES = 32 * 2**20
"""Of the different descriptions of a run, its findings at one step, or a tag's metadata: the JSON parser makes many
times as much of them in memory."""

_OBJECTS = 8
"""Bytes that a byte of JSON takes once it is decoded, about."""
_LOCKS = 16


@dataclasses.dataclass(frozen=True)
class _Kept:
    """A decoded run, or why it cannot be, for as long as its tags are in this state."""

    state: object
    result: Run | str
    size: int


class RunStore:
    """Decoded runs, the least recently used given up first.

    Safe for use from several threads: its own state changes under locks only, and the arrays of the runs, which
    several requests read at the same time, cannot be written to.
    """

    def __init__(self, capacity: int = CACHE_BYTES) -> None:
        self._capacity = capacity
        self._runs: collections.OrderedDict[object, _Kept] = collections.OrderedDict()
        self._guard = threading.Lock()
        # Requests for the same run wait for the one that decodes it; others seldom meet.
        self._decoding = [threading.Lock() for _ in range(_LOCKS)]

    def check(self, source: Source, run: str) -> dict[str, TensorTimeSeries]:
        """The tags of a run. Raises UnknownError where there is no such run with Layer Health records."""
        listed = source.tags(run).get(run)
        if not listed:
            raise UnknownError(f"no run {run!r} with Layer Health records")
        return listed

    def read(self, source: Source, run: str, tags: Collection[str], listed: Tags | None = None) -> Run:
        """The run with what these tags hold; `listed` are all its tags, None to ask for them.

        Raises:
            UnknownError: there is no such run with Layer Health records.
            CannotReadError: it cannot be decoded, for one because a newer version wrote it.
        """
        listed = self.check(source, run) if listed is None else listed
        wanted = {tag: listed[tag] for tag in listed if tag in tags or tag == schema.RUN}
        key = (source.experiment, run, frozenset(tags))
        # As text: a time that is not a number would differ from itself.
        state = {tag: (series.max_step, repr(series.max_wall_time)) for tag, series in wanted.items()}
        with self._decoding[hash(key) % _LOCKS]:
            kept = self._recall(key, state)
            if kept is None:
                kept = _Kept(state, *_decode(source, run, wanted))
                self._keep(key, kept)
        if isinstance(kept.result, str):
            raise CannotReadError(run, kept.result)
        return kept.result

    def _recall(self, key: object, state: object) -> _Kept | None:
        with self._guard:
            kept = self._runs.get(key)
            if kept is None or kept.state != state:
                return None
            self._runs.move_to_end(key)
            return kept

    def _keep(self, key: object, kept: _Kept) -> None:
        with self._guard:
            self._runs[key] = kept
            self._runs.move_to_end(key)
            while len(self._runs) > 1 and sum(each.size for each in self._runs.values()) > self._capacity:
                self._runs.popitem(last=False)


def _decode(source: Source, run: str, listed: dict[str, TensorTimeSeries]) -> tuple[Run | str, int]:
    """The run, or why it cannot be decoded; and about how many bytes it takes."""
    points = ALL_POINTS
    series: dict[str, Series] = {}
    try:
        # The description first: it tells how large the points of the other tags are.
        for tag in sorted(listed, key=lambda tag: tag != schema.RUN):
            _check_text(tag, len(listed[tag].plugin_content))
            series[tag] = source.series(run, tag, listed[tag].plugin_content, points)
            _check_text(tag, _text_bytes(tag, series[tag]))
            if tag == schema.RUN:
                points = _affordable_points(series[tag], listed)
        decoded = decode(series, run)
    except UnreadableRunError as error:
        # The words only: an exception holds on to everything that was read before it.
        return str(error), len(str(error))
    for member in vars(decoded).values():
        if isinstance(member, np.ndarray):
            member.flags.writeable = False
    return decoded, decoded.nbytes + _OBJECTS * sum(_text_bytes(tag, series[tag]) for tag in series)


def _text_bytes(tag: str, series: Series) -> int:
    """Of what is parsed: of all descriptions those that differ, of other tags one point, at most the largest."""
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
        raise UnreadableRunError(f"{tag} holds {size} bytes of text; at most {TEXT_BYTES} are read")


def _affordable_points(description: Series, tags: Collection[str]) -> int:
    """How many points of each tag an answer of the provider can hold; the same for all, so that steps match."""
    spec = describe(description)
    layers = len(spec.layers)
    sizes = {
        schema.LAYERS: layers * len(schema.COLUMNS[schema.LAYERS]) * 4,
        schema.WEIGHTS: len(spec.weights) * len(schema.COLUMNS[schema.WEIGHTS]) * 4,
        schema.UNITS: 2 * spec.unit_count,
        schema.HISTOGRAMS: layers * schema.HISTOGRAM_SHAPE[0] * schema.HISTOGRAM_SHAPE[1] * 4,
        schema.OUTCOMES: layers * max(1, len(spec.thresholds)),
    }
    largest = max((sizes.get(tag, 1) for tag in tags), default=1)
    return max(1, min(ALL_POINTS, READ_BYTES // max(1, largest)))
