"""Nothing an event file holds may break the server: every answer is one, or an error for the client."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.util.tensor_util import make_ndarray

from tb_activations.events import schema
from tb_activations.events.assemble import decode
from tb_activations.events.encoding import Encoder
from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.files import own_events
from tb_activations.events.packing import unpack
from tb_activations.events.reader import collect, load
from tb_activations.events.run import Run
from tb_activations.events.series import Point, Series
from tb_activations.plugin import answers
from tb_activations.plugin.errors import ApiError
from tb_activations.plugin.frames import Frame, to_json
from tb_activations.plugin.overview import overview
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS
from tests.live_server import serve
from tests.synthetic import RULES, START_TIME, Plan, run_spec, write_events, write_run

PLAN = Plan(layers=4, steps=4, units=2)


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Series]:
    folder = tmp_path_factory.mktemp("good")
    return collect(own_events(write_run(folder, plan=PLAN, stock=False)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KINDS = [np.dtype(kind) for kind in ("f4", "f8", "u1", "i8", "?", "c8")]
TEXTS = st.binary(max_size=9) | JSON.map(lambda value: json.dumps(value).encode()) | st.just(b"[" * 100_000)
VALUES = st.one_of(
    st.sampled_from(KINDS).flatmap(
        lambda kind: arrays(kind, array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    ),
    TEXTS.map(lambda text: np.array(text, object)),
    st.lists(TEXTS, max_size=3).map(lambda texts: np.array(texts, object)),
)
STEPS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 40)
TIMES = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1e300, START_TIME + 1])
CONTENTS = TEXTS


TEXT_TAGS = (schema.RUN, schema.FINDINGS)
ODD: st.SearchStrategy[object] = (
    st.sampled_from([None, True, -1, 1.5, 7, 255, 2**31, 2**63, 10**400, "", "NaN", "note", [], [None], [-1], {}])
    | JSON
)


@st.composite
def changes(draw: st.DrawFn) -> Callable[[dict[str, Series]], dict[str, Series]]:
    """A change to one tag: a point's value, step or time, the metadata, or a member of its JSON replaced."""
    kind = draw(st.sampled_from(["member", "member", "value", "code", "step", "time", "content", "drop"]))
    tag = draw(st.sampled_from(TEXT_TAGS if kind == "member" else sorted(schema.COLUMNS)))
    if kind == "value":
        tag = draw(st.sampled_from([tag, *TEXT_TAGS]))
    position, key, odd, code = draw(st.integers(0, 3)), draw(st.integers(0, 999)), draw(ODD), draw(st.integers(0, 255))
    point = Point(draw(STEPS), draw(TIMES), draw(VALUES))
    content = draw(CONTENTS)

    def changed_point(old: Point) -> Point:
        match kind:
            case "member":
                return old._replace(value=_with_member(old.value, key, odd))
            case "value":
                return old._replace(value=point.value)
            case "code":
                return old._replace(value=np.full_like(old.value, code)) if old.value.dtype == np.uint8 else old
            case "step":
                return old._replace(step=point.step)
            case _:
                return old._replace(wall_time=point.wall_time)

    def change(series: dict[str, Series]) -> dict[str, Series]:
        if kind == "drop" or not series.get(tag, Series(b"", ())).points:
            return {name: kept for name, kept in series.items() if name != tag}
        if kind == "content":
            return {**series, tag: Series(content, series[tag].points)}
        points = list(series[tag].points)
        index = -1 if kind == "member" else position % len(points)
        points[index] = changed_point(points[index])
        return {**series, tag: Series(series[tag].content, points)}

    return change


def _with_member(value: Any, key: int, replacement: object) -> Any:
    """The array of JSON texts with one member, on the first or second level, replaced."""
    texts = []
    for text in value.ravel():
        members = _members(text)
        if not members:
            continue
        name = sorted(members)[key % len(members)]
        inner = members[name][0] if isinstance(members[name], list) and members[name] else None
        # An earlier change may have left an object without members.
        if isinstance(inner, dict) and inner:
            inner[sorted(inner)[key // 7 % len(inner)]] = replacement
        else:
            members[name] = replacement
        texts.append(json.dumps(members).encode())
    return np.array(texts, object).reshape(value.shape) if len(texts) == value.size else value


def _members(text: object) -> dict[str, Any]:
    """Empty for what an earlier change has left without members."""
    try:
        value = json.loads(text) if isinstance(text, bytes) else None
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def every_answer(run: Run) -> None:
    """Ask everything that can be asked of a run."""
    requests: list[Callable[[], object]] = [
        lambda: answers.run_summary(run, None, overview(run, run)),
        lambda: answers.description(run),
        lambda: answers.findings(run),
        lambda: answers.matrix(run, "health", 3),
        lambda: answers.matrix(run, "mean", 1),
        lambda: answers.series(run, None, STEP_COLUMNS, 2),
    ]
    for layer in run.layers:
        requests += [
            partial(answers.series, run, layer, LAYER_COLUMNS, 2),
            partial(answers.units, run, layer, 2),
            partial(answers.histograms, run, layer, "gradient", 2),
        ]
    for request in requests:
        try:
            answer = request()
        except ApiError:
            continue
        body = answer.encode() if isinstance(answer, Frame) else to_json(answer)
        assert isinstance(body, bytes)


@settings(max_examples=700, deadline=None)
@given(st.lists(changes(), min_size=1, max_size=3))
def test_no_series_breaks_an_answer(series: dict[str, Series], made: list[Any]) -> None:
    changed = dict(series)
    for change in made:
        changed = change(changed)
    try:
        run = decode(changed)
    except UnreadableRunError:
        return
    every_answer(run)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    path = write_run(folder, plan=PLAN, stock=False)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *arguments, **options: None)
        try:
            every_answer(load(folder))
        except (FileNotFoundError, UnreadableRunError):
            return


def misshapen(tensor: TensorProto) -> None:
    """Another shape than the run's description gives, a valid tensor all the same."""
    tensor.tensor_shape.dim.insert(0, TensorShapeProto.Dim(size=1))


def short(tensor: TensorProto) -> None:
    """Fewer values than the shape says."""
    tensor.tensor_content = tensor.tensor_content[:3]
    del tensor.string_val[:]


@pytest.mark.parametrize("load_fast", [True, False], ids=["fast", "python"])
@pytest.mark.parametrize(("damage", "statuses"), [(misshapen, {200, 404}), (short, {422})])
def test_the_server_bears_records_that_do_not_fit(
    tmp_path: Path, load_fast: bool, damage: Callable[[TensorProto], None], statuses: set[int]
) -> None:
    spec = run_spec(PLAN)
    encoder = Encoder()
    events = [Event(wall_time=START_TIME, step=0, summary=encoder.run(spec))]
    sound = _full_summary(tmp_path / "source")
    for step, damaged_tag in enumerate(("", *schema.COLUMNS)):
        summary = Summary()
        summary.CopyFrom(sound)
        for value in summary.value:
            if value.tag == damaged_tag:
                damage(value.tensor)
        events.append(Event(wall_time=START_TIME + step, step=step, summary=summary))
    write_events(tmp_path / "logs" / "odd", events)
    with serve(tmp_path / "logs", load_fast=load_fast) as server:
        server.wait_for_runs(1)
        (listed,) = server.get("runs").json["runs"]
        assert listed["readable"] == (422 not in statuses)
        assert ("is not a tensor" in listed["reason"]) == (422 in statuses)
        for route in ("run", "findings", "matrix", "series", "units", "histograms"):
            query = {"run": "odd", "layer": spec.layers[0].name, "kind": "gradient", "stats": "mean", "stat": "mean"}
            assert server.get(route, **query).status in statuses


def _full_summary(folder: Path) -> Summary:
    """A summary with a value of every tag, with its metadata."""
    write_run(folder, plan=PLAN, stock=False)
    run = load(folder)
    record = next(run.records())
    histograms = run.histogram_table[0]
    cost = np.ones(len(schema.COST_COLUMNS), np.float32)
    summary = Encoder().record(
        record, outcomes=run.outcomes[0], rules=RULES, findings=run.findings, histograms=histograms, cost=cost
    )
    table = unpack(make_ndarray(summary.value[0].tensor).tobytes(), np.float32)
    assert table.shape == (PLAN.layers, len(LAYER_COLUMNS))
    return summary
