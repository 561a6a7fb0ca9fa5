"""Data providers in memory, in place of TensorBoard's, that behave as its own do at their worst."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
from tensorboard.data.provider import (
    BlobReference,
    BlobSequenceDatum,
    BlobSequenceTimeSeries,
    RunTagFilter,
    TensorDatum,
    TensorTimeSeries,
)

from tb_activations.events import schema
from tb_activations.events.encoding import Encoder
from tb_activations.events.json_codec import run_to_json
from tb_activations.plugin.source import Source
from tests.synthetic import Plan, run_spec


class Provider:
    """Runs of a few steps; counts how often it is read and in what portions."""

    def __init__(self, runs: int = 1, steps: int = 5) -> None:
        self.steps = steps
        self.runs = [f"run{index}" for index in range(runs)]
        self.reads: list[tuple[str, str, int]] = []
        self.questions = 0
        self.spec = run_spec(Plan(layers=4, steps=1, units=2))
        self.content: dict[str, bytes] = {
            value.tag: value.metadata.plugin_data.content for value in Encoder().run(self.spec).value
        }
        self.content[schema.STEP] = json.dumps({"schema": 1, "columns": schema.COLUMNS[schema.STEP]}).encode()
        self.values: dict[str, Any] = {}
        self.last_time = 0.0

    def list_runs(self, ctx: object, **_: object) -> Any:
        return [SimpleNamespace(run_name=run, start_time=float(run[3:])) for run in self.runs]

    def list_tensors(self, ctx: object, *, run_tag_filter: RunTagFilter, **_: object) -> Any:
        wanted = [run for run in self.runs if run_tag_filter.runs is None or run in run_tag_filter.runs]
        series = {
            tag: TensorTimeSeries(
                max_step=self.steps,
                max_wall_time=self.last_time,
                plugin_content=content,
                description="",
                display_name="",
            )
            for tag, content in self.content.items()
            if run_tag_filter.tags is None or tag in run_tag_filter.tags
        }
        return {run: series for run in wanted}

    def read_tensors(self, ctx: object, *, downsample: int, run_tag_filter: RunTagFilter, **_: object) -> Any:
        self.questions += 1
        runs = [run for run in self.runs if run in run_tag_filter.runs]
        tags = [tag for tag in run_tag_filter.tags if tag in self.content]
        return {run: {tag: self._data(run, tag, downsample) for tag in tags} for run in runs}

    def _data(self, run: str, tag: str, downsample: int) -> list[TensorDatum]:
        self.reads.append((run, tag, downsample))
        if tag == schema.RUN:
            values = [np.array(run_to_json(self.spec).encode(), object)]
        else:
            values = [np.full(len(schema.COLUMNS[schema.STEP]), step, np.float32) for step in range(self.steps)]
        values = self.values.get(tag, values)
        return [TensorDatum(step=step, wall_time=0.0, numpy=value) for step, value in enumerate(values)]


class Narrow(Provider):
    """Hands out no answer of more than some points, as TensorBoard's data server does by their bytes."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def read_tensors(self, ctx: object, *, downsample: int, run_tag_filter: RunTagFilter, **more: object) -> Any:
        answer = super().read_tensors(ctx, downsample=downsample, run_tag_filter=run_tag_filter, **more)
        if downsample > self.most:
            raise Exhausted
        return answer


class Exhausted(grpc.RpcError):
    """What TensorBoard's client raises for an answer of more than 256 MiB."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.RESOURCE_EXHAUSTED


class Stumbling(Provider):
    """Cannot list one tag of one run, nor any other together with it, as TensorBoard's Python loader."""

    def list_tensors(self, ctx: object, *, run_tag_filter: RunTagFilter, **more: object) -> Any:
        tags, runs = run_tag_filter.tags, run_tag_filter.runs
        if (runs is None or "run0" in runs) and (tags is None or schema.STEP in tags):
            raise KeyError(schema.STEP)
        return super().list_tensors(ctx, run_tag_filter=run_tag_filter, **more)


class Pictured(Provider):
    """Series of one picture each; asks of what it must not be asked are errors."""

    def __init__(self, series: int, length: int = 3, content: bytes = b"png") -> None:
        super().__init__()
        self.series, self.length, self.picture = series, length, content
        self.wall_time = 0.0

    def list_blob_sequences(self, ctx: object, **_: object) -> Any:
        known = {"max_step": 0, "max_wall_time": 0.0, "plugin_content": b"", "description": "", "display_name": ""}
        lengths = {f"kind/{index:05}": 3 for index in range(self.series)} | {"kind/last": self.length}
        return {"run0": {tag: BlobSequenceTimeSeries(max_length=length, **known) for tag, length in lengths.items()}}

    def read_blob_sequences(self, ctx: object, *, run_tag_filter: RunTagFilter, **_: object) -> Any:
        if "kind/last" in run_tag_filter.tags and self.length > 3:
            raise MemoryError("it makes as many references as a shape claims values")
        values = tuple(BlobReference(f"key{index}") for index in range(3))
        return {"run0": {tag: [BlobSequenceDatum(0, self.wall_time, values)] for tag in run_tag_filter.tags}}

    def read_blob(self, ctx: object, *, blob_key: str) -> bytes:
        return self.picture if blob_key == "key2" else b"4"


def source(provider: Provider) -> Source:
    return Source(provider, SimpleNamespace(), "")
