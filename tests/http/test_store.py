"""Decoded runs between requests: read once, bounded, safe to share, and nothing that the data provider does to us."""

from __future__ import annotations

import ast
import gc
import json
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from werkzeug.test import Client

from tb_activations.events import schema
from tb_activations.events.json_codec import run_to_json
from tb_activations.events.run import Run
from tb_activations.plugin import bounds, store
from tb_activations.plugin.errors import ApiError, CannotReadError, ErrorKind
from tests.http.fuzzing import plugin_of
from tests.http.providers import Narrow, Provider, Stumbling, source
from tests.live_server import ROOT
from tests.synthetic import Plan, run_spec

SERVED = ("plugin", "health", "events")
"""Packages whose code runs in the threads of the server."""
NOT_SERVED = ("writer.py", "folder_lock.py")
"""Modules in them that only a training imports."""
SHARED = (
    *("global", "lru_cache", "cache"),
    *("catch_warnings", "simplefilter", "filterwarnings", "seterr"),
)
"""Ways to change what all threads of a process have in common."""


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


def test_the_line_of_a_run_is_kept_though_the_run_is_not() -> None:
    provider, runs = Provider(runs=40), store.RunStore(capacity=1)
    mutes = {"run1": 0}

    def lines() -> list[Any]:
        own = source(provider)
        return runs.overviews(own, own.tags(), lambda run, read: {"name": run, "mutes": mutes.get(run)}, mutes.get)

    first = lines()
    assert [line["name"] for line in first] == provider.runs
    reads = len(provider.reads)
    assert lines() == first
    assert len(provider.reads) == reads
    mutes["run1"] = 1
    assert lines()[1]["mutes"] == 1
    assert {run for run, *_ in provider.reads[reads:]} == {"run1"}
    provider.steps += 1
    lines()
    assert {run for run, *_ in provider.reads[reads:]} == set(provider.runs)


def test_tables_that_were_not_read_take_no_memory() -> None:
    provider, runs = Provider(steps=500), store.RunStore()
    provider.spec = run_spec(Plan(layers=400, steps=1, units=2))
    run = runs.read(source(provider), "run0", store.OVERVIEW)
    assert run.layer_table.shape == (500, 400, len(schema.COLUMNS[schema.LAYERS]))
    assert np.isnan(run.layer_table[-1]).all()
    assert run.nbytes < 2 * run.step_table.nbytes + 2**16


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
    with pytest.raises(ApiError, match="no run 'nobody'") as unknown:
        store.RunStore().read(source(provider), "nobody", store.OVERVIEW)
    assert unknown.value.kind is ErrorKind.UNKNOWN_RUN
    del provider.content[schema.RUN]
    with pytest.raises(CannotReadError, match="no description") as damaged:
        store.RunStore().read(source(provider), "run0", store.OVERVIEW)
    assert damaged.value.kind is ErrorKind.DAMAGED_RUN


def test_what_is_kept_counts_its_texts_too() -> None:
    provider = Provider()
    provider.spec = type(provider.spec)("m" * 1_000_000, provider.spec.layers)
    runs = store.RunStore(capacity=1_000_000)
    for tags in (store.OVERVIEW, store.TABLES, store.OVERVIEW):
        runs.read(source(provider), "run0", tags)
    # The two do not fit together, although their arrays are small.
    assert [tag for _, tag, _ in provider.reads] == [schema.RUN, schema.STEP] * 3


def test_a_kept_run_cannot_be_changed() -> None:
    run = store.RunStore().read(source(Provider()), "run0", store.TABLES)
    arrays = [value for value in vars(run).values() if isinstance(value, np.ndarray)]
    assert len(arrays) > 5
    assert not any(array.flags.writeable for array in arrays)
    with pytest.raises(ValueError, match="read-only"):
        run.step_stat("loss")[0] = 1.0


def test_a_run_without_a_time_is_read_once_too() -> None:
    provider, runs = Provider(), store.RunStore()
    for _ in range(3):
        provider.last_time = float("nan")
        runs.read(source(provider), "run0", store.OVERVIEW)
    assert len(provider.reads) == 2


def test_why_a_run_cannot_be_read_is_found_out_once() -> None:
    provider, runs = Provider(), store.RunStore()
    provider.values[schema.RUN] = [np.array(b"no JSON", object)]
    for _ in range(3):
        with pytest.raises(CannotReadError, match="not JSON"):
            runs.read(source(provider), "run0", store.OVERVIEW)
    assert len(provider.reads) == 1


def test_of_a_run_that_cannot_be_read_nothing_is_kept() -> None:
    class Watched(Provider):
        def read_tensors(self, ctx: object, **more: Any) -> Any:
            answer = super().read_tensors(ctx, **more)
            read.extend(weakref.ref(datum.numpy) for tags in answer.values() for datum in next(iter(tags.values())))
            return answer

    read: list[weakref.ref[Any]] = []
    provider, runs = Watched(), store.RunStore()
    provider.content[schema.STEP] = b"no JSON"
    with pytest.raises(CannotReadError, match="metadata"):
        runs.read(source(provider), "run0", store.OVERVIEW)
    gc.collect()
    assert len(read) > 1
    assert [reference for reference in read if reference() is not None] == []


def test_a_long_reason_says_how_much_is_missing() -> None:
    error = CannotReadError("run", ErrorKind.DAMAGED_RUN, "x" * 5000)
    assert error.reason == "x" * 1000 + "… (4000 more characters)"


def test_points_that_the_provider_cannot_hand_out_at_once_are_sampled() -> None:
    provider = Narrow(most=200)
    run = store.RunStore().read(source(provider), "run0", store.OVERVIEW)
    assert len(run.steps) == 5
    portions = [points for _, tag, points in provider.reads if tag == schema.STEP]
    assert (sorted(portions, reverse=True), portions[-1] <= 200 < portions[-2]) == (portions, True)


def test_a_single_point_that_the_provider_cannot_hand_out_makes_a_run_unreadable() -> None:
    provider, runs = Narrow(most=0), store.RunStore()
    for _ in range(2):
        with pytest.raises(CannotReadError, match="too large: TensorBoard sends at most 256 MiB") as raised:
            runs.read(source(provider), "run0", store.OVERVIEW)
        assert raised.value.kind is ErrorKind.TOO_LARGE
    assert [points for *_, points in provider.reads].count(1) == 1


@pytest.mark.parametrize("tag", [schema.RUN, schema.STEP])
def test_more_text_than_is_parsed_makes_a_run_unreadable(monkeypatch: pytest.MonkeyPatch, tag: str) -> None:
    provider = Provider()
    provider.values[tag] = [np.array([b"[]" * 30_000], object)]
    monkeypatch.setattr(store, "TEXT_BYTES", 50_000)
    with pytest.raises(CannotReadError, match="holds 60000 bytes of text, the limit is 50000") as raised:
        store.RunStore().read(source(provider), "run0", store.OVERVIEW)
    assert raised.value.kind is ErrorKind.TOO_LARGE


def test_a_description_that_is_repeated_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider()
    text = run_to_json(provider.spec).encode()
    monkeypatch.setattr(store, "TEXT_BYTES", 2 * len(text))
    provider.values[schema.RUN] = [np.array(text, object)] * 10
    assert store.RunStore().read(source(provider), "run0", store.OVERVIEW).spec == provider.spec
    provider.values[schema.RUN] = [np.array(text + b" " * index, object) for index in range(10)]
    with pytest.raises(CannotReadError, match="bytes of text"):
        store.RunStore().read(source(provider), "run0", store.OVERVIEW)


def test_more_metadata_than_is_parsed_makes_a_run_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider()
    provider.content[schema.STEP] = b"[" * 60_000
    monkeypatch.setattr(store, "TEXT_BYTES", 50_000)
    with pytest.raises(CannotReadError, match="60000 bytes"):
        store.RunStore().read(source(provider), "run0", store.OVERVIEW)


def test_a_tag_without_a_value_hinders_no_other() -> None:
    provider = Stumbling(runs=2)
    tags = source(provider).tags()
    assert {run: sorted(found) for run, found in tags.items()} == {
        "run0": [schema.RUN],
        "run1": [schema.RUN, schema.STEP],
    }
    assert sorted(source(provider).tags("run0")["run0"]) == [schema.RUN]


def test_runs_that_are_too_many_are_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_RUNS", 3)
    provider = Provider(runs=8)
    answer = Client(plugin_of(provider).get_plugin_apps()["/runs"]).get("/runs").get_json()
    assert [run["name"] for run in answer["runs"]] == ["run5", "run6", "run7"]
    assert answer["left_out"] == {"runs": 5}
    assert {run for run, *_ in provider.reads} == {"run5", "run6", "run7"}


def test_runs_that_come_and_go_under_many_threads_stay_right() -> None:
    provider, wrong = Provider(runs=6, steps=50), []
    one = store.RunStore()
    one.read(source(provider), "run0", store.OVERVIEW)
    (kept,) = one._runs.values()
    runs = store.RunStore(capacity=3 * kept.size)
    barrier = threading.Barrier(8)

    def read(number: int) -> None:
        barrier.wait()
        for turn in range(60):
            name = f"run{(number + turn) % 6}"
            run: Run = runs.read(source(provider), name, store.OVERVIEW)
            if (run.name, len(run.steps)) != (name, 50):
                wrong.append(run.name)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(runs._runs) < 6
    assert len(provider.reads) > 12


def test_code_that_serves_changes_nothing_that_threads_share() -> None:
    paths = [path for package in SERVED for path in (ROOT / "tb_activations" / package).rglob("*.py")]
    found = [f"{path}: {name}" for path in paths if path.name not in NOT_SERVED for name in _shared(path)]
    assert found == []


def _shared(path: Path) -> list[str]:
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    names = [getattr(node, "attr", getattr(node, "id", "")) for node in nodes]
    return [name for name in names if name in SHARED] + ["global" for node in nodes if isinstance(node, ast.Global)]
