"""Every kind of file and name that a log directory may hold, each by its name, and what a browser gets of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.types_pb2 import DT_FLOAT

from tb_activations.events import schema
from tb_activations.events.encoding import Encoder
from tb_activations.recording.stock import reconstruction_error
from tests.http import fuzzing, mutants
from tests.live_server import Server, serve
from tests.synthetic import START_TIME, run_spec, write_events, write_newer_schema

NAMES = {
    "markup": "<img src=x onerror=alert(1)></script>",
    "path": "../../../../etc/passwd",
    "long": "n" * 10_000,
    "control": "a\x00b\x1b[31m\r\nSet-Cookie: a=b\x7f\u2028\u202e",
}
"""Of layers, models, rules and tags."""
FOLDERS = {
    "markup-run": "<img src=x onerror=alert(1)>",
    "path-run": "..a%2f..%5c..~",
    "long-run": "r" * 250,
    "control-run": "a\x1b[31m\r\nSet-Cookie: a=b\x7f\u2028",
}
"""Names of runs, as far as a filesystem has them."""
PICTURES = "feature_maps/dense_0"
FORBIDDEN = "Set-Cookie"


def without_tensor(value: Summary.Value) -> None:
    value.ClearField("tensor")


def of_numbers(value: Summary.Value) -> None:
    value.tensor.Clear()
    value.tensor.dtype = DT_FLOAT
    value.tensor.float_val.extend([1.0, 2.0, 3.0])
    value.tensor.tensor_shape.dim.add().size = 3


def huge(value: Summary.Value) -> None:
    value.tensor.tensor_shape.dim.add().size = mutants.HUGE


EDITS = [
    (name, tag, edit)
    for name, edit in {"valueless": without_tensor, "numeric": of_numbers, "huge": huge}.items()
    for tag in (schema.STEP, schema.RUN, PICTURES)
]
"""A field of one tag that no writer leaves like that."""


@pytest.fixture(scope="module", params=[True, False], ids=["fast", "python"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hostile")
    content = fuzzing.write_pictured(folder / "sound", steps=4)
    records = mutants.records_of(content)
    # Within the last record of a step.
    last = max(place for place, one in enumerate(records) if schema.STEP.encode() in one)
    within = sum(len(one) + 16 for one in records[:last]) + len(records[last]) // 2
    half = bytearray(content)
    half[within] ^= 1
    scalars = [Event(step=1, summary=Summary(value=[reconstruction_error(1.0)])).SerializeToString()]
    files: dict[str, mutants.Mutation] = {
        "truncated": lambda path: path.write_bytes(content[:within]),
        "bit-flipped": lambda path: path.write_bytes(bytes(half)),
        "empty": lambda path: path.write_bytes(b""),
        "foreign-bytes": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + content),
        "foreign-scalars": lambda path: mutants.write_records(path, scalars),
        **{f"{name} {tag.replace('/', '-')}": _edited(records, tag, edit) for name, tag, edit in EDITS},
    }
    for name, mutation in files.items():
        mutants.write_mutant(folder, name, mutation)
    write_newer_schema(folder, "newer")
    for kind, name in NAMES.items():
        _write_named(folder / kind, name)
    for name in FOLDERS.values():
        mutants.write_mutant(folder, name, lambda path: path.write_bytes(content))
    with serve(folder, load_fast=request.param) as running:
        # Without a description, or with one that has no value, there is nothing to list a run by.
        running.wait_for_runs(len(files) - len({"empty", "foreign-bytes", "foreign-scalars"}) + 2 + len(NAMES) + 4)
        yield running


def _edited(records: list[bytes], tag: str, edit: Callable[[Summary.Value], None]) -> mutants.Mutation:
    events = [Event.FromString(record) for record in records]
    for event in events:
        for value in event.summary.value:
            if value.tag == tag:
                edit(value)
    return lambda path: mutants.write_records(path, [event.SerializeToString() for event in events])


def _write_named(folder: Path, name: str) -> None:
    """A run in which everything that has a name is called `name`."""
    spec = run_spec(fuzzing.PLAN)
    first = dataclasses.replace(spec.layers[0], name=name, class_name=name, activation=name, not_observed=name)
    named = dataclasses.replace(
        spec,
        model=name,
        layers=(first, *spec.layers[1:]),
        thresholds={name: {name: 1.0}},
        cadence={name: name},
        versions={name: name},
    )
    picture = fuzzing.picture_value(f"feature_maps/{name}")
    values = [*Encoder().run(named).value, picture]
    write_events(folder, [Event(wall_time=START_TIME, summary=Summary(value=values))])


def ask_all(server: Server, run: str) -> dict[str, int]:
    """The status of every route for this run, none of them one that it must not have."""
    with ThreadPoolExecutor(8) as pool:
        answers = fuzzing.ask_together(server, pool, fuzzing.every_route(run))
    assert [text for answer in answers if (text := fuzzing.complaint(answer))] == []
    return {answer.path[1:].split("?")[0]: answer.status for answer in answers}


def summary_of(server: Server, run: str) -> dict[str, object] | None:
    runs = server.get("runs").json["runs"]
    return next((entry for entry in runs if entry["name"] == run), None)


def test_a_truncated_file_is_shown_up_to_its_end(server: Server) -> None:
    entry = summary_of(server, "truncated")
    assert entry is not None
    assert (entry["readable"], 0 < int(str(entry["records"])) < 4) == (True, True)
    assert ask_all(server, "truncated")["matrix"] == 200


def test_a_bit_flipped_file_shows_what_can_be_read(server: Server) -> None:
    entry = summary_of(server, "bit-flipped")
    assert entry is not None
    # One of the loaders ends at a wrong checksum, the other does not look at it.
    assert (entry["readable"], 0 < int(str(entry["records"])) <= 4) == (True, True)
    assert ask_all(server, "bit-flipped")["matrix"] == 200


@pytest.mark.parametrize("name", ["empty", "foreign-bytes", "foreign-scalars"])
def test_an_empty_or_foreign_file_is_no_run(server: Server, name: str) -> None:
    assert summary_of(server, name) is None
    assert set(ask_all(server, name).values()) == {404}


def test_a_newer_schema_is_named(server: Server) -> None:
    entry = summary_of(server, "newer")
    assert entry is not None
    assert "version 99" in str(entry["reason"])
    assert ask_all(server, "newer")["run"] == 409


@pytest.mark.parametrize("tag", [schema.STEP, schema.RUN, PICTURES])
@pytest.mark.parametrize("edit", ["valueless", "numeric", "huge"])
def test_a_hostile_field_costs_its_run_at_most(server: Server, edit: str, tag: str) -> None:
    statuses = ask_all(server, f"{edit} {tag.replace('/', '-')}")
    assert set(statuses.values()) <= {200, 404, 413, 422}
    assert server.get("run", run="sound").status == 200
    if tag == PICTURES:
        assert statuses["run"] == 200


@pytest.mark.parametrize("kind", NAMES)
def test_a_hostile_name_passes_as_data(server: Server, kind: str) -> None:
    name = NAMES[kind]
    answer = server.get("run", run=kind)
    assert answer.json["layers"][0]["name"] == answer.json["model"] == name
    assert answer.json["thresholds"] == {name: {name: 1.0}}
    assert answer.json["left_out"] == {}
    assert answer.headers["Content-Type"] == "application/json"
    series = server.get("series", run=kind, layer=name, stats="mean")
    assert (series.status, FORBIDDEN in series.headers) == (200, False)
    (picture,) = server.get("pictures", run=kind).json["pictures"]
    assert (picture["kind"], picture["subject"]) == ("feature_maps", name)
    # Not every loader hands out pictures of such a name.
    shown = server.get("picture", run=kind, tag=picture["tag"], step=0)
    assert shown.headers["Content-Type"].split(";")[0] == ("image/png" if shown.status == 200 else "application/json")
    assert FORBIDDEN not in shown.headers


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_hostile_run_name_passes_as_data(server: Server, kind: str) -> None:
    name = FOLDERS[kind]
    assert summary_of(server, name) is not None
    statuses = ask_all(server, name)
    assert {statuses.pop("picture"), statuses.pop("picture_details")} <= {200, 404}
    assert set(statuses.values()) == {200}
    missing = server.get("run", run=name + "?")
    assert (missing.status, missing.headers["Content-Type"].split(";")[0]) == (404, "application/json")
    assert FORBIDDEN not in missing.headers


def test_no_traceback_was_printed(server: Server) -> None:
    assert server.process.poll() is None
    assert "Traceback" not in server.log.read_text()
