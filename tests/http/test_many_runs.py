"""The list of many runs: few questions to the data provider, and the same answer as run by run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.data.provider import RunTagFilter
from werkzeug.test import Client

from tb_activations.events import assemble, schema
from tb_activations.plugin import store
from tests.http.fuzzing import plugin_of
from tests.http.providers import Exhausted, Provider, Stumbling, source
from tests.live_server import serve, wait_for
from tests.synthetic import START_TIME, Plan, write_newer_schema, write_run, write_unreadable

SHARED = ("severity", "sentence", "layer", "layers_affected")
"""Of a verdict, in the list of runs as in the findings of a run."""


def runs_of(provider: Provider) -> Any:
    return Client(plugin_of(provider).get_plugin_apps()["/runs"]).get("/runs").get_json()["runs"]


@pytest.mark.parametrize(("count", "questions"), [(1, 2), (16, 1), (80, 2), (336, 3), (1000, 5)])
def test_few_questions_are_asked(count: int, questions: int) -> None:
    provider = Provider(runs=count)
    assert len(runs_of(provider)) == count
    assert provider.questions == questions
    # Each tag of each run is read once, and not again as long as it is the same.
    assert len(provider.reads) == len(set(provider.reads)) == 2 * count
    client = Client(plugin_of(provider).get_plugin_apps()["/runs"])
    client.get("/runs")
    client.get("/runs")
    assert len(provider.reads) == 4 * count


def test_decoding_grows_with_the_number_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    original = assemble._Decoder.run

    def spy(decoder: Any, name: str) -> Any:
        decoded.append(name)
        return original(decoder, name)

    monkeypatch.setattr(assemble._Decoder, "run", spy)
    for count in (20, 40):
        decoded.clear()
        runs_of(Provider(runs=count))
        assert len(decoded) == len(set(decoded)) == count


def test_runs_of_many_points_are_read_in_smaller_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PORTION_BYTES", 100_000)
    provider = Provider(runs=64, steps=500)
    portions: list[int] = []
    original = provider.read_tensors

    def spy(ctx: object, *, run_tag_filter: RunTagFilter, **more: Any) -> Any:
        portions.append(len(run_tag_filter.runs))
        return original(ctx, run_tag_filter=run_tag_filter, **more)

    provider.read_tensors = spy  # type: ignore[method-assign]
    assert len(runs_of(provider)) == 64
    assert portions[0] == store.FIRST_PORTION
    assert max(portions[1:]) < 8


class Crowded(Provider):
    """Hands out few runs at a time, as TensorBoard's data server does with large ones."""

    def __init__(self, runs: int, most: int) -> None:
        super().__init__(runs)
        self.most = most

    def read_tensors(self, ctx: object, *, run_tag_filter: RunTagFilter, **more: Any) -> Any:
        if len(run_tag_filter.runs) > self.most:
            raise Exhausted
        return super().read_tensors(ctx, run_tag_filter=run_tag_filter, **more)


class Broken(Provider):
    """Has one value that is not a tensor: an answer with it is an error."""

    def read_tensors(self, ctx: object, *, run_tag_filter: RunTagFilter, **more: Any) -> Any:
        if "run7" in run_tag_filter.runs and schema.STEP in run_tag_filter.tags:
            self.questions += 1
            raise ValueError("cannot reshape")
        return super().read_tensors(ctx, run_tag_filter=run_tag_filter, **more)


@pytest.mark.parametrize("most", [1, 3, 15])
def test_what_is_too_large_together_is_read_in_parts(most: int) -> None:
    assert runs_of(Crowded(40, most)) == runs_of(Provider(40))


def test_one_run_that_cannot_be_read_hides_no_other() -> None:
    provider = Broken(64)
    listed, whole = runs_of(provider), runs_of(Provider(64))
    (unreadable,) = (run for run in listed if not run["readable"])
    assert unreadable["name"] == "run7"
    assert "is not a tensor" in unreadable["reason"]
    assert [run for run in listed if run["readable"]] == [run for run in whole if run["name"] != "run7"]
    assert provider.questions < 20


@pytest.mark.parametrize(
    ("tag", "value"), [(schema.RUN, np.array(b"no JSON", object)), (schema.STEP, np.zeros(2, np.float32))]
)
def test_odd_values_give_the_same_entry_as_alone(tag: str, value: Any) -> None:
    provider, alone = Provider(4), Provider(1)
    provider.values[tag] = alone.values[tag] = [value]
    (entry,) = runs_of(alone)
    assert runs_of(provider)[0] == entry


def test_tags_without_a_value_are_found_by_halves() -> None:
    class Counting(Stumbling):
        listings = 0

        def list_tensors(self, ctx: object, *, run_tag_filter: RunTagFilter, **more: object) -> Any:
            self.listings += 1
            return super().list_tensors(ctx, run_tag_filter=run_tag_filter, **more)

    provider = Counting(runs=256)
    tags = source(provider).tags()
    assert {run for run, found in tags.items() if schema.STEP not in found} == {"run0"}
    assert len(tags) == 256
    assert provider.listings < 40


@pytest.mark.parametrize("load_fast", [True, False], ids=["fast", "python"])
def test_the_server_lists_runs_of_every_kind(tmp_path: Path, load_fast: bool) -> None:
    plan = Plan(layers=4, steps=8, units=2, stock=False)
    for index in range(40):
        write_run(tmp_path, name=f"sweep/{index}", plan=plan, start_time=START_TIME + index, sick=index % 2 == 1)
    # Started again: what the first training found after step 20 is void.
    write_run(tmp_path, name="again", plan=plan, start_time=START_TIME + 100)
    write_run(tmp_path, name="again", plan=plan, steps=2, start_step=20, start_time=START_TIME + 200, sick=False)
    write_newer_schema(tmp_path, "newer")
    write_unreadable(tmp_path, "damaged")
    with serve(tmp_path, load_fast=load_fast) as server:
        server.wait_for_runs(43)
        wanted = {f"sweep/{index}": 8 for index in range(40)} | {"again": 4}

        def loaded() -> dict[str, Any] | None:
            listed = {run["name"]: run for run in server.get("runs").json["runs"]}
            return listed if all(listed[name]["records"] >= records for name, records in wanted.items()) else None

        listed = wait_for(loaded, "all records")
        # TensorBoard's data server lets each question wait, also when it has nothing else to do.
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda name: server.get("findings", run=name), listed)
        for (name, run), answer in zip(listed.items(), answers, strict=True):
            assert (answer.status == 200) == run["readable"]
            if run["readable"]:
                verdict = answer.json["verdict"]
                assert {name: run[name] for name in SHARED} == {name: verdict[name] for name in SHARED}
        assert {name for name, run in listed.items() if not run["readable"]} == {"damaged", "newer"}
        assert (listed["again"]["records"], listed["again"]["last_step"]) == (4, 30)
        assert listed["sweep/1"]["first_step"] == 0
