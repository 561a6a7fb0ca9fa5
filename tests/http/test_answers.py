"""Parts of the answers that need no server."""

from __future__ import annotations

import argparse
import json
import math
import struct
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tensorboard.data.provider import RunTagFilter, TensorDatum, TensorTimeSeries

from tb_activations.events import schema, thinning
from tb_activations.events.encoding import Encoder
from tb_activations.events.json_codec import run_to_json
from tb_activations.health.records import Outcome
from tb_activations.plugin import store
from tb_activations.plugin.errors import CannotReadError, UnknownError
from tb_activations.plugin.frames import Frame, to_json
from tb_activations.plugin.loader import SAMPLES, LayerHealthLoader
from tb_activations.plugin.source import Source
from tests.synthetic import Plan, run_spec

SEVERITY_ORDER = [
    Outcome.PROBLEM,
    Outcome.WARNING,
    Outcome.NOTE,
    Outcome.ERROR,
    Outcome.OK,
    Outcome.INSUFFICIENT_DATA,
    Outcome.NOT_APPLICABLE,
]


@given(st.integers(0, 3000), st.integers(1, 1200))
def test_shown_steps_are_spread_between_the_first_and_the_last(steps: int, limit: int) -> None:
    indices = thinning.shown(steps, limit)
    assert len(indices) == min(steps, limit)
    assert np.all(np.diff(indices) > 0)
    if steps:
        assert indices[-1] == steps - 1
    if min(steps, limit) > 1:
        assert indices[0] == 0
        assert np.ptp(np.diff(indices)) <= 1


def test_a_wide_answer_holds_fewer_steps() -> None:
    assert len(thinning.shown(10_000, 10_000, width=100_000)) == thinning.LARGEST_ANSWER // 100_000
    assert len(thinning.shown(10, 10, width=2**40)) == 1


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.just(2), st.integers(1, 3)), elements=st.integers(0, 6)),
    st.data(),
)
def test_health_is_the_worst_of_what_a_step_stands_for(outcomes: Any, data: st.DataObject) -> None:
    indices = thinning.shown(len(outcomes), data.draw(st.integers(1, 50)))
    health = thinning.health(outcomes, indices)
    begin = 0
    for column, index in enumerate(indices):
        for layer in range(2):
            seen = set(outcomes[begin : index + 1, layer].ravel().tolist())
            assert health[layer, column] == next(outcome for outcome in SEVERITY_ORDER if outcome in seen)
        begin = index + 1


def test_without_rules_nothing_is_applicable() -> None:
    health = thinning.health(np.empty((3, 2, 0), np.uint8), np.arange(3))
    assert (health == Outcome.NOT_APPLICABLE).all()


@given(st.text(max_size=9), arrays(np.float32, st.tuples(st.integers(0, 3), st.integers(0, 3))))
def test_a_frame_comes_apart_again(name: str, data: Any) -> None:
    body = Frame({"run": name, "low": math.nan}, data).encode()
    (length,) = struct.unpack("<I", body[:4])
    header = json.loads(body[4 : 4 + length])
    assert length % 4 == 0
    assert header == {"run": name, "low": None, "shape": list(data.shape)}
    np.testing.assert_array_equal(np.frombuffer(body[4 + length :], "<f4").reshape(data.shape), data)


def test_json_has_no_bare_nan_and_survives_lone_surrogates() -> None:
    value = {"a": [math.inf, (math.nan, 1.5)], "\ud800": {"b": -math.inf}}
    assert json.loads(to_json(value)) == {"a": [None, [None, 1.5]], "\ud800": {"b": None}}


@pytest.mark.parametrize(
    ("given_flags", "expected"),
    [
        ({"samples_per_plugin": {}}, {"layer_health": SAMPLES}),
        ({"samples_per_plugin": {"layer_health": 7, "images": 3}}, {"layer_health": 7, "images": 3}),
        ({"samples_per_plugin": None}, None),
    ],
)
def test_the_loader_asks_for_samples_unless_the_user_did(given_flags: dict[str, Any], expected: Any) -> None:
    flags = argparse.Namespace(**given_flags)
    LayerHealthLoader().fix_flags(flags)
    assert flags.samples_per_plugin == expected


def test_the_loader_bears_flags_of_another_tensorboard() -> None:
    LayerHealthLoader().fix_flags(argparse.Namespace())


def test_the_server_side_imports_no_tensorflow() -> None:
    program = "import sys, tb_activations.plugin.plugin; print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


class Provider:
    """A data provider in memory that counts how often it is read and in what portions."""

    def __init__(self, runs: int = 1, steps: int = 5) -> None:
        self.steps = steps
        self.runs = [f"run{index}" for index in range(runs)]
        self.reads: list[tuple[str, str, int]] = []
        self.spec = run_spec(Plan(layers=4, steps=1, units=2))
        self.content: dict[str, bytes] = {
            value.tag: value.metadata.plugin_data.content for value in Encoder().run(self.spec).value
        }
        self.content[schema.STEP] = json.dumps({"schema": 1, "columns": schema.COLUMNS[schema.STEP]}).encode()

    def list_tensors(self, ctx: object, *, run_tag_filter: RunTagFilter | None, **_: object) -> Any:
        wanted = self.runs if run_tag_filter is None else set(run_tag_filter.runs) & set(self.runs)
        series = {
            tag: TensorTimeSeries(
                max_step=self.steps,
                max_wall_time=float(self.steps),
                plugin_content=content,
                description="",
                display_name="",
            )
            for tag, content in self.content.items()
        }
        return {run: series for run in wanted}

    def read_tensors(self, ctx: object, *, downsample: int, run_tag_filter: RunTagFilter, **_: object) -> Any:
        (run,), (tag,) = run_tag_filter.runs, run_tag_filter.tags
        self.reads.append((run, tag, downsample))
        if tag == schema.RUN:
            values = [np.array(run_to_json(self.spec).encode(), object)]
        else:
            values = [np.full(len(schema.COLUMNS[schema.STEP]), step, np.float32) for step in range(self.steps)]
        data = [TensorDatum(step=step, wall_time=0.0, numpy=value) for step, value in enumerate(values)]
        return {run: {tag: data}}


def source(provider: Provider) -> Source:
    return Source(provider, SimpleNamespace(), "")


def test_an_unchanged_run_is_read_once_and_a_changed_one_again() -> None:
    provider, runs = Provider(), store.RunStore()
    first = runs.read(source(provider), "run0", store.OVERVIEW)
    assert runs.read(source(provider), "run0", store.OVERVIEW) is first
    assert len(provider.reads) == 2
    provider.steps += 1
    assert len(runs.read(source(provider), "run0", store.OVERVIEW).steps) == 6
    assert len(provider.reads) == 4


def test_the_store_gives_up_what_was_used_longest_ago() -> None:
    provider = Provider(runs=3)
    one = store.RunStore()
    one.read(source(provider), "run0", store.OVERVIEW)
    (kept,) = one._runs.values()
    runs = store.RunStore(capacity=2 * kept.size)
    provider.reads.clear()
    for name in ("run0", "run1", "run0", "run2", "run0", "run1"):
        runs.read(source(provider), name, store.OVERVIEW)
    assert [run for run, tag, _ in provider.reads if tag == schema.STEP] == ["run0", "run1", "run2", "run1"]


def test_requests_at_the_same_time_share_one_reading() -> None:
    provider, runs = Provider(steps=300), store.RunStore()
    barrier, results = threading.Barrier(8), []

    def read() -> None:
        barrier.wait()
        results.append(runs.read(source(provider), "run0", store.OVERVIEW))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(run) for run in results}) == 1
    assert len(provider.reads) == 2


def test_points_too_large_for_one_answer_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider()
    provider.content[schema.LAYERS] = json.dumps({"schema": 1, "columns": schema.COLUMNS[schema.LAYERS]}).encode()
    point = 4 * len(schema.COLUMNS[schema.LAYERS]) * 4
    monkeypatch.setattr(store, "READ_BYTES", 10 * point)
    store.RunStore().read(source(provider), "run0", store.TABLES)
    assert {tag: points for _, tag, points in provider.reads if tag != schema.RUN} == {
        schema.LAYERS: 10,
        schema.STEP: 10,
    }


def test_an_unknown_run_and_one_without_description_are_told_apart() -> None:
    provider = Provider()
    with pytest.raises(UnknownError, match="no run 'nobody'"):
        store.RunStore().read(source(provider), "nobody", store.OVERVIEW)
    del provider.content[schema.RUN]
    with pytest.raises(CannotReadError, match="no description"):
        store.RunStore().read(source(provider), "run0", store.OVERVIEW)
