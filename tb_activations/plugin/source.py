"""TensorBoard's data provider as one request sees it, with workarounds for its known failures."""

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
from tb_activations.plugin.errors import OversizedRunError, TooLargeError

Tags = Mapping[str, TensorTimeSeries]
"""Metadata of each tag of a run, known without reading its values."""

_FEWER = 16
"""Factor by which the number of requested points shrinks when an answer is too large for the provider."""


@dataclasses.dataclass(frozen=True)
class Source:
    """Where one request reads from: the data provider, and what the provider needs to know about the request."""

    provider: DataProvider
    context: RequestContext
    experiment: str

    def tags(self, run: str | None = None) -> dict[str, dict[str, TensorTimeSeries]]:
        """Tags by run, for one run or all runs."""
        try:
            return self._tensors(None if run is None else [run], None)
        except KeyError:
            # TensorBoard's Python loader fails on a tag without values, and on every list that contains it.
            return self._tags_in_parts([*self.start_times()] if run is None else [run])

    def start_times(self) -> dict[str, float | None]:
        """Start time in seconds since the epoch of every run in the log directory; empty when the provider fails."""
        try:
            listed = self.provider.list_runs(self.context, experiment_id=self.experiment)
        except DecodeError:
            # TensorBoard's Python loader parses the first record of every run and assumes that it is an event.
            return {}
        return {run.run_name: run.start_time for run in listed}

    def series(self, run: str, tag: str, content: bytes, points: int) -> Series:
        """At most `points` points of one tag, fewer if they are too large for the provider.

        Raises:
            OversizedRunError: a single point is too large for the provider.
            UnreadableRunError: a point of the tag is not a tensor.
        """
        while True:
            try:
                return Series(content, _points(self._read([run], [tag], points).get(run, {}).get(tag, ())))
            except TooLargeError as error:
                if points == 1:
                    raise OversizedRunError(f"a value of {tag} is too large: {error}") from error
                points = max(1, points // _FEWER)

    def series_of_all(
        self, runs: Sequence[str], tags: Mapping[str, Tags], points: int
    ) -> dict[str, dict[str, Series]] | None:
        """At most `points` points per tag and run, in a single answer of the provider.

        None if the provider cannot give it: the answer is too large, a point is not a tensor, or a tag has no values.
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
        """Metadata of each series of pictures of a run.

        Raises:
            UnreadableRunError: the loader cannot list them.
        """
        try:
            listed = self._blobs(self.provider.list_blob_sequences, runs=[run])
        except KeyError as error:
            raise UnreadableRunError(f"TensorBoard cannot list its pictures: {error} has no values") from error
        series: dict[str, BlobSequenceTimeSeries] = listed.get(run, {})
        return series

    def picture_points(self, run: str, tags: Sequence[str], points: int) -> dict[str, Sequence[BlobSequenceDatum]]:
        """At most `points` steps of each series of pictures."""
        read = self._blobs(self.provider.read_blob_sequences, runs=[run], tags=tags, downsample=points)
        data: dict[str, Sequence[BlobSequenceDatum]] = read.get(run, {})
        return data

    def blob(self, reference: BlobReference) -> bytes:
        """The bytes behind a reference; empty if it points to something else or cannot be resolved."""
        try:
            content = self.provider.read_blob(self.context, blob_key=reference.blob_key)
        except (TypeError, ValueError, IndexError, errors.InvalidArgumentError):
            # TensorBoard's data server cannot resolve its own references to names that need escaping in JSON.
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
        """Tags of these runs, without the few that cannot be listed."""
        found: dict[str, dict[str, TensorTimeSeries]] = {}
        waiting = [runs] if runs else []
        # Terminates: parts that are put back are half as long, and a single run is not put back.
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
            # The provider converts protos to arrays and trusts the shapes they claim.
            raise UnreadableRunError(f"{', '.join(tags)} holds a value that is not a tensor: {error}") from error
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
    """Reports an answer that is too large for TensorBoard's data server to the client instead of failing with a 500."""
    try:
        yield
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
        raise TooLargeError("TensorBoard sends at most 256 MiB at once") from error
