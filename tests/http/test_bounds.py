"""Every answer is bounded and says what it leaves out: the table in `docs/http_api.md`, row by row."""

from __future__ import annotations

import dataclasses
import json
import re
import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_activations.events import schema
from tb_activations.events.assemble import decode
from tb_activations.events.json_codec import finding_to_json, run_to_json
from tb_activations.events.run import Run
from tb_activations.events.series import Point, Series
from tb_activations.plugin import answers, bounds, pictures, store
from tb_activations.plugin.errors import LONGEST_REASON, ApiError, ErrorKind, TooLargeError
from tb_activations.plugin.frames import to_json
from tb_activations.plugin.parameters import LARGEST_LIST, LARGEST_MAX_STEPS
from tb_activations.records.finding import Finding, Severity
from tb_activations.records.specs import LayerSpec, RunSpec, WeightSpec
from tests.http import fuzzing
from tests.http.providers import Pictured, source

LARGEST_JSON = 40 * 2**20
FINDING = Finding(
    rule="dead_units",
    layer="a",
    severity=Severity.NOTE,
    sign="dead_share",
    unit="share",
    value=1.0,
    threshold=0.5,
    samples=1,
    checks=1,
    since_step=0,
    opened_step=0,
    last_step=0,
    message="",
    might_be_wrong="",
    advice="",
    source="",
)


def run_of(spec: RunSpec, **points: NDArray[Any]) -> Run:
    """A run with this description and, at its one step, these values by tag (behind the slash)."""
    rules = tuple(spec.thresholds)
    values = {"run": np.array(run_to_json(spec).encode(), object), **points}
    series = {}
    for name, value in values.items():
        tag = f"layer_health/{name}"
        columns = rules if tag == schema.OUTCOMES else schema.COLUMNS[tag]
        series[tag] = Series(json.dumps({"schema": 1, "columns": columns}).encode(), [Point(0, 0.0, value)])
    return decode(series)


def layers_of(count: int, name: str = "layer", **more: Any) -> tuple[LayerSpec, ...]:
    return tuple(LayerSpec(name=f"{name}{index}", class_name="Dense", **more) for index in range(count))


def test_the_contract_states_a_bound_of_every_route() -> None:
    table = fuzzing.CONTRACT.split("## Limits")[1].split("\n## ")[0]
    told = {f"/{route}" for route in re.findall(r"^\| `(\w+)`", table, re.MULTILINE)}
    assert told == set(fuzzing.ROUTES) - {"/index.js"}
    counts = [
        *(bounds.MOST_LAYERS, bounds.MOST_RULES, bounds.MOST_UNITS, bounds.MOST_FINDING_UNITS),
        *(bounds.MOST_PICTURE_SERIES, pictures.MOST_VALUES, bounds.LONGEST_TEXT, bounds.LONGEST_RULE),
        *(LONGEST_REASON, LARGEST_MAX_STEPS, LARGEST_LIST),
    ]
    assert [count for count in counts if f"{count:,}" not in table] == []
    sizes = (bounds.LARGEST_LIST, bounds.LARGEST_REPORT, pictures.LARGEST_PICTURE, store.TEXT_BYTES, LARGEST_JSON)
    assert [size for size in sizes if f"{size // 2**20} MiB" not in table] == []
    assert f"{bounds.LARGEST_SETTINGS // 2**10} KiB" in table


def test_a_modest_run_is_whole() -> None:
    run = run_of(RunSpec("model", layers_of(3)))
    assert answers.description(run)["left_out"] == answers.findings(run)["left_out"] == {}
    assert answers.matrix(run, "health", 10).header["left_out"] == {}


def test_of_too_many_layers_the_first_are_shown() -> None:
    run = run_of(RunSpec("model", layers_of(bounds.MOST_LAYERS + 7)))
    answer = answers.description(run)
    assert (len(answer["layers"]), answer["left_out"]) == (bounds.MOST_LAYERS, {"layers": 7})
    for stat in ("health", "mean"):
        frame = answers.matrix(run, stat, 10)
        assert frame.data.shape[0] == len(frame.header["layers"]) == bounds.MOST_LAYERS
        assert frame.header["left_out"] == {"layers": 7}


@pytest.mark.parametrize(("letter", "count"), [("n", 900), ("\x00", 300), ("\U0001f9e0", 200), ('"', 900)])
def test_long_names_leave_room_for_fewer_layers(letter: str, count: int) -> None:
    run = run_of(RunSpec("model", layers_of(count, letter * 10_000)))
    answer, header = answers.description(run), answers.matrix(run, "mean", 10).header
    shown = len(answer["layers"])
    assert 0 < shown < count
    assert answer["left_out"] == header["left_out"] == {"layers": count - shown}
    assert [layer["name"] for layer in answer["layers"]] == header["layers"] == list(run.layers[:shown])
    assert len(to_json(answer["layers"])) <= bounds.LARGEST_LIST
    assert len(to_json(answer)) <= LARGEST_JSON


def test_layers_with_many_inputs_count_them() -> None:
    run = run_of(RunSpec("model", layers_of(300, inputs=("input" * 2000,) * 10)))
    answer = answers.description(run)
    assert answer["left_out"] == {"layers": 300 - len(answer["layers"])}
    assert len(to_json(answer)) <= bounds.LARGEST_LIST


def test_of_too_many_weights_the_first_are_shown() -> None:
    weights = tuple(WeightSpec(f"w{index}", "", (1,)) for index in range(bounds.MOST_LAYERS + 3))
    answer = answers.description(run_of(RunSpec("model", layers_of(1), weights)))
    assert (len(answer["weights"]), answer["left_out"]) == (bounds.MOST_LAYERS, {"weights": 3})


def test_of_too_many_rules_the_first_are_shown() -> None:
    rules = [f"rule{index}" for index in range(bounds.MOST_RULES)] + ["r" * 1000] * 1 + ["last"]
    spec = RunSpec("model", layers_of(2), thresholds={rule: {} for rule in rules})
    worst = np.zeros((2, len(rules)), np.uint8)
    worst[0, -1] = 3
    answer = answers.description(run_of(spec, outcomes=worst))
    assert [len(layer["outcomes"]) for layer in answer["layers"]] == [bounds.MOST_RULES] * 2
    assert (len(answer["rules"]), answer["left_out"]) == (bounds.MOST_RULES, {"rules": 2})
    # The severity covers all rules, including those that are left out.
    assert answer["layers"][0]["severity"] == "problem"


@pytest.mark.parametrize("name", ["thresholds", "cadence", "versions"])
def test_settings_that_are_too_large_are_left_out(name: str) -> None:
    setting: Any = {"x" * 1000: 1.0} if name == "thresholds" else "x" * 1000
    settings: dict[str, Any] = {name: {f"setting{index}": setting for index in range(400)}}
    answer = answers.description(run_of(RunSpec("model", layers_of(1), **settings)))
    assert (answer[name], answer["left_out"]) == ({}, {name: 400})


def test_a_long_text_says_how_much_is_missing() -> None:
    text = "x" * (bounds.LONGEST_TEXT + 12)
    layer = LayerSpec(name=text, class_name=text, not_observed=text, inputs=(text,))
    answer = answers.description(run_of(RunSpec(text, (layer,))))
    (entry,) = answer["layers"]
    shown = {answer["model"], entry["name"], entry["class_name"], entry["not_observed"], *entry["inputs"]}
    assert shown == {text[:-12] + "… (12 more characters)"}


def test_of_too_many_findings_the_worst_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_FINDINGS", 50)
    worse = dataclasses.replace(FINDING, severity=Severity.PROBLEM, units=tuple(range(1500)), unit_count=1500)
    texts = [finding_to_json(FINDING).encode()] * (bounds.MOST_FINDINGS + 4) + [finding_to_json(worse).encode()]
    run = run_of(RunSpec("model", layers_of(1)), findings=np.array(texts, object))
    answer = answers.findings(run)
    assert (len(answer["findings"]), answer["left_out"]) == (bounds.MOST_FINDINGS, {"findings": 5})
    first = answer["findings"][0]
    assert (first["severity"], first["units"], first["unit_count"]) == ("problem", list(range(1000)), 1500)


def test_long_findings_leave_room_for_fewer() -> None:
    long = dataclasses.replace(FINDING, layer="l" * 20_000, message="m" * 20_000, advice="\x01" * 20_000)
    texts = [finding_to_json(long).encode()] * 150
    answer = answers.findings(run_of(RunSpec("model", layers_of(1)), findings=np.array(texts, object)))
    assert answer["left_out"] == {"findings": 150 - len(answer["findings"])}
    assert answer["findings"][0]["message"].endswith("… (3616 more characters)")
    assert len(to_json(answer)) <= LARGEST_JSON


def test_of_too_many_units_the_first_are_shown() -> None:
    units = bounds.MOST_UNITS + 9
    run = run_of(RunSpec("model", layers_of(1, units=units)), units=np.ones((2, units), np.uint8))
    frame = answers.units(run, "layer0", 10)
    assert frame.data.shape == (2, 1, bounds.MOST_UNITS)
    assert len(frame.header["lives"]) == bounds.MOST_UNITS
    assert frame.header["left_out"] == {"units": 9}


def test_of_too_many_runs_the_newest_are_listed() -> None:
    entries = [
        answers.unreadable_summary(f"run{index}", ErrorKind.DAMAGED_RUN, "") for index in range(bounds.MOST_RUNS + 2)
    ]
    entries = [{**entry, "start_time": float(index)} for index, entry in enumerate(entries)]
    answer = answers.run_list(entries, unread=5)
    assert (answer["runs"][0]["name"], answer["runs"][-1]["name"]) == ("run2", "run10001")
    assert answer["left_out"] == {"runs": 7}


def _known() -> None:
    """The run exists."""


def test_of_too_many_series_of_pictures_the_first_are_listed() -> None:
    answer = pictures.listing(source(Pictured(bounds.MOST_PICTURE_SERIES + 2)), "run0", pictures.Memory(), _known)
    assert [len(answer["pictures"]), answer["left_out"]] == [bounds.MOST_PICTURE_SERIES, {"pictures": 3}]


def test_a_series_that_claims_a_huge_number_of_values_is_not_read() -> None:
    provider = source(Pictured(2, length=2**62))
    answer = pictures.listing(provider, "run0", pictures.Memory(), _known)
    assert ([entry["tag"] for entry in answer["pictures"]], answer["left_out"]) == (
        ["kind/00000", "kind/00001"],
        {"pictures": 1},
    )
    with pytest.raises(TooLargeError, match="more than 1000 values"):
        pictures.picture(provider, "run0", "kind/last", 0)


def test_the_size_of_a_picture_is_asked_for_once_until_it_is_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    provider, memory = Pictured(1), pictures.Memory()
    first = pictures.listing(source(provider), "run0", memory, _known)
    monkeypatch.setattr(provider, "read_blob", lambda ctx, *, blob_key: b"9")
    assert pictures.listing(source(provider), "run0", memory, _known) == first
    assert [one["size"] for one in first["pictures"]] == [[4, 4], [4, 4]]
    provider.wall_time = 1.0
    assert [one["size"] for one in pictures.listing(source(provider), "run0", memory, _known)["pictures"]] == [
        [9, 9],
        [9, 9],
    ]


def test_series_that_were_added_or_changed_since_the_last_request_are_seen() -> None:
    provider, memory = Pictured(1), pictures.Memory()

    def tags() -> list[str]:
        return [entry["tag"] for entry in pictures.listing(source(provider), "run0", memory, _known)["pictures"]]

    assert tags() == ["kind/00000", "kind/last"]
    provider.series = 2
    assert tags() == ["kind/00000", "kind/00001", "kind/last"]
    # Reading it raises an error, so that it is visible here that its points are not used.
    provider.length = 2**62
    assert tags() == ["kind/00000", "kind/00001"]


def test_known_series_are_read_before_they_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    provider, memory = Pictured(1), pictures.Memory()
    first = pictures.listing(source(provider), "run0", memory, _known)
    was_read = threading.Event()
    read, listed = provider.read_blob_sequences, provider.list_blob_sequences

    def reading(*args: object, **options: Any) -> Any:
        was_read.set()
        return read(*args, **options)

    def listing(*args: object, **options: Any) -> Any:
        assert was_read.wait(60)
        return listed(*args, **options)

    monkeypatch.setattr(provider, "read_blob_sequences", reading)
    monkeypatch.setattr(provider, "list_blob_sequences", listing)
    assert pictures.listing(source(provider), "run0", memory, _known) == first


def test_a_picture_that_is_too_large_says_how_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "LARGEST_PICTURE", 2)
    with pytest.raises(TooLargeError, match="3 bytes, the limit is 2"):
        pictures.picture(source(Pictured(1)), "run0", "kind/00000", 0)


def test_bytes_that_are_none_are_no_picture() -> None:
    with pytest.raises(ApiError, match="no picture") as raised:
        pictures.picture(source(Pictured(1, content=np.float32(1))), "run0", "kind/00000", 0)  # type: ignore[arg-type]
    assert raised.value.kind is ErrorKind.UNKNOWN_PICTURE
