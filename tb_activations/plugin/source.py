"""What TensorBoard has loaded, as one request sees it, and what becomes of it when its data provider stumbles."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from tensorboard import errors
from tensorboard.context import RequestContext
from tensorboard.data.provider import (
    BlobReference,
    BlobSequenceDatum,
    BlobSequenceTimeSeries,
    DataProvider,
    RunTagFilter,
    TensorDatum,
    TensorTimeSeries,
)
from tensorboard.plugins.image.metadata import PLUGIN_NAME as IMAGES

from tb_activations.events import schema
from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.series import Point, Series
from tb_activations.plugin.errors import TooLargeError

Tags = Mapping[str, TensorTimeSeries]
"""What is known of each tag of a run without reading it."""

_FEWER = 16
"""Times fewer points that are asked for when an answer was too large for the provider."""


@dataclasses.dataclass(frozen=True)
class Source:
    """Where one request reads from: the data provider, and what it wants to know of the request."""

    provider: DataProvider
    context: RequestContext
    experiment: str

    def tags(self, run: str | None = None) -> dict[str, dict[str, TensorTimeSeries]]:
        """The tags by run, of one run or of all."""
        try:
            return self._tensors(None if run is None else [run], None)
        except KeyError:
            # TensorBoard's Python loader cannot list a tag that has no value yet, nor any other together with it.
            return self._tags_in_parts([*self.start_times()] if run is None else [run])

    def start_times(self) -> dict[str, float | None]:
        """Seconds since the epoch by run, of every run in the log directory; empty where one of them hinders it."""
        try:
            listed = self.provider.list_runs(self.context, experiment_id=self.experiment)
        except DecodeError:
            # TensorBoard's Python loader looks into the first record of every run, and trusts it to be an event.
            return {}
        return {run.run_name: run.start_time for run in listed}

    def series(self, run: str, tag: str, content: bytes, points: int) -> Series:
        """At most `points` points of one tag, fewer where they are too large for the provider.

        Raises:
            UnreadableRunError: a point of the tag is no tensor, or too large.
        """
        while True:
            try:
                return Series(content, _points(self._read([run], [tag], points).get(run, {}).get(tag, ())))
            except TooLargeError as error:
                if points == 1:
                    raise UnreadableRunError(f"a value of {tag} is too large: {error}") from error
                points = max(1, points // _FEWER)

    def series_of_all(
        self, runs: Sequence[str], tags: Mapping[str, Tags], points: int
    ) -> dict[str, dict[str, Series]] | None:
        """At most `points` points of each of the tags of each run, by run, in a single answer of the provider.

        None where there is no such answer: it is too large, a point in it is no tensor, or a tag has no value yet.
        """
        wanted = sorted({tag for run in runs for tag in tags[run]})
        try:
            read = self._read(runs, wanted, points)
        except (TooLargeError, UnreadableRunError, KeyError):
            return None
        return {
            run: {
                tag: Series(listed.plugin_content, _points(read.get(run, {}).get(tag, ())))
                for tag, listed in tags[run].items()
            }
            for run in runs
        }

    def pictures(self, run: str) -> dict[str, BlobSequenceTimeSeries]:
        """What is known of each series of pictures of a run.

        Raises:
            UnreadableRunError: the loader cannot list them.
        """
        try:
            listed = self._blobs(self.provider.list_blob_sequences, runs=[run])
        except KeyError as error:
            raise UnreadableRunError(f"TensorBoard cannot list its pictures: {error} has no value") from error
        series: dict[str, BlobSequenceTimeSeries] = listed.get(run, {})
        return series

    def picture_points(self, run: str, tags: Sequence[str], points: int) -> dict[str, Sequence[BlobSequenceDatum]]:
        """At most `points` steps of each of these series of pictures."""
        read = self._blobs(self.provider.read_blob_sequences, runs=[run], tags=tags, downsample=points)
        data: dict[str, Sequence[BlobSequenceDatum]] = read.get(run, {})
        return data

    def blob(self, reference: BlobReference) -> bytes:
        """The bytes that a reference leads to; none where it leads to something else, or cannot be followed."""
        try:
            content = self.provider.read_blob(self.context, blob_key=reference.blob_key)
        except (TypeError, ValueError, IndexError, errors.InvalidArgumentError):
            # TensorBoard's data server does not understand its own references to names that JSON has to escape.
            return b""
        return content if isinstance(content, bytes) else b""

    def _tensors(
        self, runs: Sequence[str] | None, tags: Sequence[str] | None
    ) -> dict[str, dict[str, TensorTimeSeries]]:
        with _translated():
            listed: dict[str, dict[str, TensorTimeSeries]] = self.provider.list_tensors(
                self.context,
                experiment_id=self.experiment,
                plugin_name=schema.PLUGIN_NAME,
                run_tag_filter=RunTagFilter(runs=runs, tags=tags),
            )
        return listed

    def _tags_in_parts(self, runs: Sequence[str]) -> dict[str, dict[str, TensorTimeSeries]]:
        """The tags of these runs without those that cannot be listed, of which there are few."""
        found: dict[str, dict[str, TensorTimeSeries]] = {}
        waiting = [runs] if runs else []
        # Ends: what is put back is half as long, and one run is not put back.
        while waiting:
            part = waiting.pop()
            try:
                found.update(self._tensors(part, None))
            except KeyError:
                if len(part) == 1:
                    found.update(self._tags_one_by_one(part[0]))
                else:
                    middle = len(part) // 2
                    waiting += [part[middle:], part[:middle]]
        return found

    def _tags_one_by_one(self, run: str) -> dict[str, dict[str, TensorTimeSeries]]:
        tags: dict[str, TensorTimeSeries] = {}
        for tag in schema.COLUMNS:
            with contextlib.suppress(KeyError):
                tags.update(self._tensors([run], [tag]).get(run, {}))
        return {run: tags} if tags else {}

    def _read(self, runs: Sequence[str], tags: Sequence[str], points: int) -> dict[str, Any]:
        try:
            with _translated():
                read: dict[str, Any] = self.provider.read_tensors(
                    self.context,
                    experiment_id=self.experiment,
                    plugin_name=schema.PLUGIN_NAME,
                    downsample=points,
                    run_tag_filter=RunTagFilter(runs=runs, tags=tags),
                )
        except (TypeError, ValueError, MemoryError) as error:
            # The provider turns protos into arrays, and trusts what the protos say of their shape.
            raise UnreadableRunError(f"{', '.join(tags)} holds a value that is no tensor: {error}") from error
        return read

    def _blobs(
        self, method: Callable[..., Any], *, runs: Sequence[str], tags: Sequence[str] | None = None, **more: int
    ) -> dict[str, Any]:
        with _translated():
            answer: dict[str, Any] = method(
                self.context,
                experiment_id=self.experiment,
                plugin_name=IMAGES,
                run_tag_filter=RunTagFilter(runs=runs, tags=tags),
                **more,
            )
        return answer


def _points(data: Sequence[TensorDatum]) -> list[Point]:
    return [Point(datum.step, datum.wall_time, datum.numpy) for datum in data]


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """An answer that is too large for TensorBoard's data server is the client's to know of, not a fault of ours."""
    try:
        yield
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
        raise TooLargeError("TensorBoard hands out at most 256 MiB at once") from error
