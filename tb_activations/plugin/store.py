"""Runs out of TensorBoard's data provider, each read once and kept while there is room."""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Collection, Mapping

from google.protobuf.message import DecodeError
from tensorboard.context import RequestContext
from tensorboard.data.provider import DataProvider, RunTagFilter, TensorTimeSeries

from tb_activations.events import schema
from tb_activations.events.assemble import decode, describe
from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.run import Run
from tb_activations.events.series import Point, Series
from tb_activations.plugin.errors import CannotReadError, UnknownError

OVERVIEW = frozenset({schema.STEP, schema.FINDINGS})
TABLES = frozenset({schema.LAYERS, schema.WEIGHTS, schema.STEP, schema.OUTCOMES, schema.FINDINGS, schema.COST})
UNITS = frozenset({schema.STEP, schema.UNITS})
HISTOGRAMS = frozenset({schema.STEP, schema.HISTOGRAMS})
"""What the routes read, so that none waits for tags it does not show."""

ALL_POINTS = 1_000_000
READ_BYTES = 128 * 2**20
"""Of one answer of the data provider; TensorBoard's own client refuses more than twice that."""
CACHE_BYTES = 512 * 2**20

Tags = Mapping[str, TensorTimeSeries]
"""What is known of each tag of a run without reading it."""

_LOCKS = 16


@dataclasses.dataclass(frozen=True)
class Source:
    """Where one request reads from: the data provider, and what it wants to know of the request."""

    provider: DataProvider
    context: RequestContext
    experiment: str

    def tags(self, run: str | None = None) -> dict[str, dict[str, TensorTimeSeries]]:
        """The tags by run, of one run or of all."""
        runs = None if run is None else RunTagFilter(runs=[run])
        listed: dict[str, dict[str, TensorTimeSeries]] = self.provider.list_tensors(
            self.context, experiment_id=self.experiment, plugin_name=schema.PLUGIN_NAME, run_tag_filter=runs
        )
        return listed

    def start_times(self) -> dict[str, float | None]:
        """Seconds since the epoch by run, of every run in the log directory; empty where one of them hinders it."""
        try:
            listed = self.provider.list_runs(self.context, experiment_id=self.experiment)
        except DecodeError:
            # TensorBoard's Python loader looks into the first record of every run, and trusts it to be an event.
            return {}
        return {run.run_name: run.start_time for run in listed}

    def series(self, run: str, tag: str, content: bytes, points: int) -> Series:
        """At most `points` points of one tag.

        Raises:
            UnreadableRunError: a point of the tag is no tensor.
        """
        try:
            read = self.provider.read_tensors(
                self.context,
                experiment_id=self.experiment,
                plugin_name=schema.PLUGIN_NAME,
                downsample=points,
                run_tag_filter=RunTagFilter(runs=[run], tags=[tag]),
            )
        except (TypeError, ValueError, MemoryError) as error:
            # The provider turns protos into arrays, and trusts what the protos say of their shape.
            raise UnreadableRunError(f"{tag} holds a value that is no tensor: {error}") from error
        data = read.get(run, {}).get(tag, ())
        return Series(content, [Point(datum.step, datum.wall_time, datum.numpy) for datum in data])


class RunStore:
    """Decoded runs, the least recently used given up first. Safe for use from several threads."""

    def __init__(self, capacity: int = CACHE_BYTES) -> None:
        self._capacity = capacity
        self._runs: collections.OrderedDict[object, tuple[object, Run]] = collections.OrderedDict()
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
        state = {tag: (series.max_step, series.max_wall_time) for tag, series in wanted.items()}
        with self._decoding[hash(key) % _LOCKS]:
            kept = self._recall(key, state)
            if kept is not None:
                return kept
            try:
                decoded = _decode(source, run, wanted)
            except UnreadableRunError as error:
                raise CannotReadError(run, str(error)) from error
            self._keep(key, state, decoded)
            return decoded

    def _recall(self, key: object, state: object) -> Run | None:
        with self._guard:
            kept_state, run = self._runs.get(key, (None, None))
            if kept_state != state:
                return None
            self._runs.move_to_end(key)
            return run

    def _keep(self, key: object, state: object, run: Run) -> None:
        with self._guard:
            self._runs[key] = (state, run)
            self._runs.move_to_end(key)
            while len(self._runs) > 1 and sum(kept.nbytes for _, kept in self._runs.values()) > self._capacity:
                self._runs.popitem(last=False)


def _decode(source: Source, run: str, listed: dict[str, TensorTimeSeries]) -> Run:
    points = ALL_POINTS
    series = {}
    # The description first: it tells how large the points of the other tags are.
    for tag in sorted(listed, key=lambda tag: tag != schema.RUN):
        series[tag] = source.series(run, tag, listed[tag].plugin_content, points)
        if tag == schema.RUN:
            points = _affordable_points(series[tag], listed)
    return decode(series, run)


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
