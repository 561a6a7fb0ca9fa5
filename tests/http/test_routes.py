"""The contract of `docs/http_api.md` against a real TensorBoard."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_activations.events.reader import load
from tb_activations.events.schema import SCHEMA_VERSION
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS
from tests.http.conftest import RECORDS, RUNS
from tests.live_server import Answer, Server
from tests.synthetic import HOSTILE_NAMES, START_TIME, Plan

HOSTILE_RUN = "hostile <b>&?#%2F"
ROUTES = ("run", "findings", "matrix", "series", "units", "histograms", "sequences")
GOOD_QUERY = {
    "run": {},
    "findings": {},
    "matrix": {"stat": "mean"},
    "series": {"layer": "dense_0", "stats": "mean"},
    "units": {"layer": "dense_0"},
    "histograms": {"layer": "dense_0", "kind": "activation"},
    "sequences": {"layer": "dense_0"},
}


def frame(answer: Answer) -> tuple[dict[str, Any], NDArray[np.float32]]:
    assert answer.status == 200, answer.text
    assert answer.headers["Content-Type"] == "application/octet-stream"
    (length,) = struct.unpack("<I", answer.body[:4])
    assert length % 4 == 0
    header = json.loads(answer.body[4 : 4 + length])
    return header, np.frombuffer(answer.body[4 + length :], "<f4").reshape(header["shape"])


def refusal(answer: Answer) -> tuple[int, str]:
    """Status and kind of an error; the body has nothing else but its text."""
    assert set(answer.json) == {"error", "kind"}
    return answer.status, answer.json["kind"]


def test_tensorboard_shows_the_tab(server: Server) -> None:
    listed = server.request(server.url + "data/plugins_listing").json["layer_health"]
    assert listed["enabled"]
    assert listed["tab_name"] == "Layer Health"
    assert listed["loading_mechanism"]["module_path"].endswith("/data/plugin/layer_health/index.js")


def test_runs_are_listed_by_start_time(server: Server) -> None:
    runs = server.get("runs").json["runs"]
    assert [run["name"] for run in runs] == ["damaged", "newer", "long", "healthy", "sick", HOSTILE_RUN, "single"]
    assert len(runs) == RUNS
    loss = frame(server.get("series", run="sick", stats="loss"))[1][0, -1]
    assert runs[4] == {
        "name": "sick",
        "readable": True,
        "kind": None,
        "reason": "",
        "records": 120,
        "layers": 8,
        "first_step": 0,
        "last_step": 1190,
        "start_time": START_TIME + 60,
        "last_time": START_TIME + 120,
        "has_ended": False,
        "severity": "problem",
        "sentence": (
            "dense_2: 100% of units dead since step 360. 2 findings follow from it. 3 of 8 layers need attention."
        ),
        "layer": "dense_2",
        "headline": "100% of units dead",
        "since_step": 360,
        "layers_affected": 3,
        "health": 18 * "0" + 42 * "3",
        "epoch": None,
        "metrics": {"loss": pytest.approx(float(loss), rel=1e-6)},
    }
    assert [run["severity"] for run in runs] == [None, None, "problem", None, "problem", "problem", None]


def test_runs_that_cannot_be_read_say_why(server: Server) -> None:
    damaged, newer = server.get("runs").json["runs"][:2]
    assert (damaged["readable"], newer["readable"]) == (False, False)
    assert (damaged["kind"], newer["kind"]) == ("damaged_run", "newer_schema")
    assert "not JSON" in damaged["reason"]
    assert "schema version 99" in newer["reason"]
    assert (newer["records"], newer["layers"], newer["last_time"]) == (0, 0, 0)


def test_no_recorded_step_is_lost(server: Server) -> None:
    header, data = frame(server.get("series", run="long", stats="loss", max_steps=10_000))
    assert header["recorded_steps"] == RECORDS
    assert header["steps"] == list(range(0, RECORDS * 10, 10))
    assert np.isfinite(data).all()


def test_layers_describe_the_run(server: Server) -> None:
    answer = server.get("run", run="sick").json
    layer = answer["layers"][2]
    assert (answer["run"], answer["model"], answer["schema_version"]) == ("sick", "synthetic", SCHEMA_VERSION)
    assert (layer["name"], layer["class_name"], layer["units"]) == ("dense_2", "Dense", 16)
    assert layer["output_shape"] == [None, 16]
    assert (layer["severity"], layer["outcomes"]) == ("problem", ["problem", "ok", "ok"])
    assert answer["layers"][3]["outcomes"][0] == "not_applicable"
    assert answer["layers"][4]["severity"] is None
    assert [rule["id"] for rule in answer["rules"]] == ["dead_units", "vanishing_gradient", "nonfinite"]
    assert all(rule["why"].endswith(".") for rule in answer["rules"])
    assert [statistic["id"] for statistic in answer["statistics"]] == [*LAYER_COLUMNS, "elasticity"]
    assert [statistic["id"] for statistic in answer["step_statistics"]] == list(STEP_COLUMNS)
    assert answer["weights"][0]["layer"] == "dense_0"
    assert answer["cost"]["interval"] == 10


def test_findings_stand_roots_first_under_a_verdict(server: Server) -> None:
    answer = server.get("findings", run="sick").json
    assert [finding["layer"] for finding in answer["findings"]] == ["dense_2", "dense_0", "dense_1"]
    root, *followers = answer["findings"]
    assert {finding["root"] for finding in followers} == {root["id"]} == {"dead_units:dense_2:360"}
    assert (root["severity"], root["since_step"], root["closed_step"]) == ("problem", 360, None)
    assert answer["verdict"]["severity"] == "problem"
    assert answer["verdict"]["layer"] == "dense_2"
    assert "dense_2" in answer["verdict"]["sentence"]
    assert server.get("findings", run="healthy").json["verdict"]["severity"] is None


def test_the_matrix_holds_the_recorded_figures(server: Server, log_dir: Path) -> None:
    header, data = frame(server.get("matrix", run="sick", stat="gradient_norm"))
    recorded = load(log_dir, "sick")
    np.testing.assert_array_equal(data, recorded.stat("gradient_norm").T)
    assert header["shape"] == [8, 120]
    assert tuple(header["layers"]) == recorded.layers
    assert header["wall_times"] == recorded.wall_times.tolist()
    assert (header["low"], header["high"]) == (0, pytest.approx(float(data.max())))


def test_a_figure_that_was_not_measured_is_not_a_number(server: Server) -> None:
    header, data = frame(server.get("series", run="sick", stats="loss_scale,loss"))
    assert header["stats"] == ["loss_scale", "loss"]
    assert np.isnan(data[0]).all()
    assert np.isfinite(data[1]).all()


def test_health_is_the_worst_of_the_rules(server: Server) -> None:
    death = Plan().death
    _, data = frame(server.get("matrix", run="sick", stat="health"))
    assert (data[2, death:] == 3).all()
    assert (data[0, death:] == 2).all()
    assert (data[5, 3:] == 0).all()


def test_a_thinned_matrix_shows_the_first_the_last_and_the_worst(server: Server) -> None:
    header, data = frame(server.get("matrix", run="sick", stat="health", max_steps=3))
    assert header["steps"] == [0, 600, 1190]
    assert header["recorded_steps"] == 120
    assert data[2].tolist() == [0, 3, 3]


def test_the_series_of_a_layer_is_its_row(server: Server, log_dir: Path) -> None:
    header, data = frame(server.get("series", run="sick", layer="dense_1", stats="mean,std"))
    recorded = load(log_dir, "sick")
    np.testing.assert_array_equal(data, [recorded.stat(stat)[:, 1] for stat in ("mean", "std")])
    assert (header["layer"], header["shape"]) == ("dense_1", [2, 120])


def test_units_have_lives(server: Server, log_dir: Path) -> None:
    header, data = frame(server.get("units", run="sick", layer="dense_2", max_steps=50))
    recorded = load(log_dir, "sick")
    assert header["shape"] == [2, 50, 16]
    assert header["recorded_steps"] == 120
    np.testing.assert_array_equal(data[0, -1], recorded.units("dense_2")[-1])
    np.testing.assert_array_equal(data[1, 0], recorded.unit_peaks("dense_2")[0])
    assert [life["unit"] for life in header["lives"]] == list(range(16))
    assert {life["state"] for life in header["lives"]} == {"died"}
    assert header["lives"][-1]["since_step"] == 360


def test_histograms_stand_at_their_own_steps(server: Server) -> None:
    header, data = frame(server.get("histograms", run="sick", layer="dense_1", kind="gradient"))
    assert header["steps"] == list(range(0, 1200, 100))
    assert header["shape"] == [12, 32]
    assert (data[:, 2:].sum(axis=1) == 512).all()


@pytest.mark.parametrize("layer", ["dense_0", "dense_1"], ids=["cell", "its layer"])
def test_cells_are_shown_over_time(server: Server, layer: str) -> None:
    header, data = frame(server.get("sequences", run="healthy", layer=layer, max_steps=6))
    assert header["shape"] == [2, 6, 64]
    assert header["recorded_steps"] == 12
    assert header["steps"][0::5] == [0, 1100]
    assert header["lengths"] == [80] * 6
    assert data[0, 0, [0, -1]] == pytest.approx([0.2, 0.6])
    assert data[1, 0, [0, -1]] == pytest.approx([1e-4, 1e-2])
    assert header["readings"][0].startswith(
        "The gradient at the first 2 time steps is 0.01 times that at the last one;"
    )


def test_other_layers_are_not_shown_over_time(server: Server) -> None:
    header, data = frame(server.get("sequences", run="healthy", layer="dense_2"))
    assert (header["steps"], header["readings"], data.shape) == ([], [], (2, 0, 0))


def test_a_single_step_is_enough(server: Server) -> None:
    for route in ROUTES:
        assert server.get(route, run="single", **GOOD_QUERY[route]).status == 200
    header, _ = frame(server.get("matrix", run="single", stat="mean"))
    assert header["shape"] == [8, 1]


def test_the_page_is_a_module(server: Server) -> None:
    answer = server.get("index.js")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "render" in answer.text


def test_hostile_names_pass_as_data(server: Server) -> None:
    layers = server.get("run", run=HOSTILE_RUN).json["layers"]
    assert [layer["name"] for layer in layers] == [f"{name} {row}" for row, name in enumerate(HOSTILE_NAMES)]
    for layer in layers:
        header, _ = frame(server.get("series", run=HOSTILE_RUN, layer=layer["name"], stats="mean"))
        assert header["layer"] == layer["name"]


@pytest.mark.parametrize("route", ROUTES)
def test_an_unknown_run_is_not_found(server: Server, route: str) -> None:
    answer = server.get(route, run="<script>", **GOOD_QUERY[route])
    assert refusal(answer) == (404, "unknown_run")
    assert "'<script>'" in answer.json["error"]
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("route", ROUTES)
def test_the_run_must_be_named(server: Server, route: str) -> None:
    answer = server.get(route, **GOOD_QUERY[route])
    assert refusal(answer) == (400, "bad_parameter")
    assert "'run'" in answer.json["error"]


@pytest.mark.parametrize("route", ROUTES)
def test_a_newer_schema_is_a_conflict(server: Server, route: str) -> None:
    answer = server.get(route, run="newer", **GOOD_QUERY[route])
    assert refusal(answer) == (409, "newer_schema")
    assert "version 99" in answer.json["error"]
    assert f"version {SCHEMA_VERSION}" in answer.json["error"]


@pytest.mark.parametrize("route", ROUTES)
def test_a_damaged_run_cannot_be_processed(server: Server, route: str) -> None:
    answer = server.get(route, run="damaged", **GOOD_QUERY[route])
    assert refusal(answer) == (422, "damaged_run")
    assert "not JSON" in answer.json["error"]


@pytest.mark.parametrize("route", ["series", "units", "histograms", "sequences"])
def test_an_unknown_layer_is_not_found(server: Server, route: str) -> None:
    answer = server.get(route, run="sick", **{**GOOD_QUERY[route], "layer": "nobody"})
    assert refusal(answer) == (404, "unknown_layer")
    assert "'nobody'" in answer.json["error"]


def test_units_that_are_not_tracked_are_not_found(server: Server) -> None:
    answer = server.get("units", run="sick", layer="batch_normalization_3")
    assert refusal(answer) == (404, "untracked_units")
    assert "not tracked" in answer.json["error"]


@pytest.mark.parametrize(
    ("route", "query", "name", "allowed"),
    [
        ("matrix", {}, "stat", "health, elements"),
        ("matrix", {"stat": "loss"}, "stat", "health, elements"),
        ("matrix", {"stat": "mean", "max_steps": "0"}, "max_steps", "1 to 10000"),
        ("matrix", {"stat": "mean", "max_steps": "10001"}, "max_steps", "1 to 10000"),
        ("matrix", {"stat": "mean", "max_steps": "1_000"}, "max_steps", "1 to 10000"),
        ("matrix", {"stat": "mean", "max_steps": "٣"}, "max_steps", "1 to 10000"),
        ("matrix", {"stat": "mean", "max_steps": ""}, "max_steps", "1 to 10000"),
        ("matrix", {"stat": "mean", "max_steps": "9" * 5000}, "max_steps", "1 to 10000"),
        ("series", {}, "stats", "loss, learning_rate"),
        ("series", {"stats": "mean"}, "stats", "loss, learning_rate"),
        ("series", {"layer": "dense_0", "stats": "loss"}, "stats", "elements, mean"),
        ("series", {"stats": "loss,"}, "stats", "loss, learning_rate"),
        ("series", {"stats": ",".join(["loss"] * 65)}, "stats", "1 to 64"),
        ("units", {}, "layer", "a name"),
        ("histograms", {"kind": "activation"}, "layer", "a name"),
        ("histograms", {"layer": "dense_0"}, "kind", "activation, gradient"),
        ("histograms", {"layer": "dense_0", "kind": "weights"}, "kind", "activation, gradient"),
    ],
)
def test_a_bad_parameter_is_named(server: Server, route: str, query: dict[str, str], name: str, allowed: str) -> None:
    answer = server.get(route, run="sick", **query)
    assert refusal(answer) == (400, "bad_parameter")
    assert f"parameter '{name}'" in answer.json["error"]
    assert allowed in answer.json["error"]


@pytest.mark.parametrize(
    "query", ["run=%ff%fe", "run=%00", "run=%ed%a0%80", "run=" + "x" * 5000, "run=a&run=b", "=&&;"]
)
def test_odd_queries_are_no_server_errors(server: Server, query: str) -> None:
    for route in ROUTES:
        assert server.request(f"{server.data_url}{route}?{query}").status in (400, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_refused(server: Server, method: str) -> None:
    answer = server.request(server.data_url + "runs", method)
    assert (*refusal(answer), answer.headers["Allow"]) == (405, "bad_method", "GET, HEAD")


@pytest.mark.parametrize("path", ["index.html", "static/index.js", "../../../etc/passwd", "..%2f..%2fplugin.py"])
def test_nothing_else_is_served(server: Server, path: str) -> None:
    answer = server.request(server.data_url + path)
    assert answer.status != 500
    assert b"LayerHealthPlugin" not in answer.body
    assert b"root:" not in answer.body


def test_tensorflow_was_not_needed(server: Server) -> None:
    log = server.log.read_text()
    assert "TensorFlow installation not found" in log
    assert "Traceback" not in log
