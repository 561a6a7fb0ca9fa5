"""Pictures of a run, through both loaders and below a prefix."""

from __future__ import annotations

import io
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.events.encoding import Encoder
from tb_activations.pictures.kinds import read_details
from tb_activations.recording.stock import image
from tests.live_server import Server, serve
from tests.synthetic import START_TIME, Plan, run_spec, write_events, write_run

STEPS = list(range(0, 1200, 100))
TAG = "feature_maps/dense_0"


@pytest.fixture(scope="module", params=[(True, ""), (False, "/behind/a/proxy")], ids=["fast", "python-prefix"])
def gallery(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder, name="pictured", pictures=True)
    write_run(folder, name="plain", sick=False, start_time=START_TIME + 60)
    _write_odd(folder / "odd")
    load_fast, path_prefix = request.param
    with serve(folder, "--samples_per_plugin", "images=100", load_fast=load_fast, path_prefix=path_prefix) as running:
        running.wait_for_records("pictured", 120)
        running.wait_for_runs(3)
        yield running


def _write_odd(folder: Path) -> None:
    """A sequence without any picture, a size that is no number, and bytes that are no picture."""
    empty = image("empty/series", b"", 4, 4)
    del empty.tensor.string_val[2:]
    empty.tensor.tensor_shape.dim[0].size = 2
    nameless = image("no_kind", b"<svg onload=alert(1)>", 4, 4)
    nameless.tensor.string_val[0] = b"wide"
    values = [empty, nameless]
    events = [Event(wall_time=START_TIME, summary=Encoder().run(run_spec(Plan())))]
    events.append(Event(wall_time=START_TIME, step=3, summary=Summary(value=values)))
    write_events(folder, events)


def test_all_series_are_listed_with_their_steps(gallery: Server) -> None:
    answer = gallery.get("pictures", run="pictured")
    assert answer.status == 200, answer.text
    first, second = answer.json["pictures"]
    assert (first["tag"], first["kind"], first["subject"]) == ("confusion", "confusion", "")
    assert (second["tag"], second["kind"], second["subject"]) == (TAG, "feature_maps", "dense_0")
    assert second["steps"] == STEPS
    assert len(second["wall_times"]) == len(STEPS)
    assert second["description"] == "Maps of the same inputs."
    assert gallery.get("pictures", run="plain").json == {"run": "plain", "pictures": [], "left_out": {}}


def test_a_picture_comes_as_it_was_written(gallery: Server) -> None:
    listed = gallery.get("pictures", run="pictured").json["pictures"][1]
    answer = gallery.get("picture", run="pictured", tag=TAG, step=STEPS[3])
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert list(Image.open(io.BytesIO(answer.body)).size) == listed["size"]
    details = read_details(answer.body)
    assert details is not None
    assert gallery.get("picture_details", run="pictured", tag=TAG, step=STEPS[3]).json == {
        "details": {"low": details.low, "high": details.high, "scale": "common", "about": "Two samples, four channels."}
    }
    assert details.high == 31


def test_a_picture_of_another_writer_says_nothing_of_its_values(gallery: Server) -> None:
    assert gallery.get("picture", run="pictured", tag="confusion", step=0).headers["Content-Type"] == "image/jpeg"
    assert gallery.get("picture_details", run="pictured", tag="confusion", step=0).json == {"details": None}


def test_what_is_no_picture_does_no_harm(gallery: Server) -> None:
    (listed,) = gallery.get("pictures", run="odd").json["pictures"]
    assert (listed["tag"], listed["size"], listed["steps"]) == ("no_kind", [0, 4], [3])
    answer = gallery.get("picture", run="odd", tag="no_kind", step=3)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert gallery.get("picture", run="odd", tag="empty/series", step=3).status == 404


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"run": "nothing", "tag": TAG, "step": "0"}, 404, "no run 'nothing'"),
        ({"run": "pictured", "tag": "x", "step": "0"}, 404, "no picture 'x' in run 'pictured'"),
        ({"run": "pictured", "tag": TAG, "step": "7"}, 404, "at step 7"),
        ({"run": "pictured", "tag": TAG}, 400, "'step' must be a non-negative integer, it is missing"),
        ({"run": "pictured", "tag": TAG, "step": "-1"}, 400, "got '-1'"),
        ({"run": "pictured", "step": "0"}, 400, "'tag' must be a name"),
        ({"tag": TAG, "step": "0"}, 400, "'run' must be a name"),
    ],
)
def test_what_is_not_there_is_named(gallery: Server, query: dict[str, str], status: int, words: str) -> None:
    for route in ("picture", "picture_details"):
        answer = gallery.request(f"{gallery.data_url}{route}?{urllib.parse.urlencode(query)}")
        assert answer.status == status
        assert words in answer.text
