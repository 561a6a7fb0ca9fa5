"""Paths, methods and headers that no page sends, each by its name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.http import fuzzing
from tests.http.fuzzing import Wanted, ask
from tests.live_server import Server, serve

TARGET = "etc/passwd"
STEPS_UP = {
    "plain": "../",
    "encoded": "%2e%2e%2f",
    "half-encoded": "..%2f",
    "double-encoded": "%252e%252e%252f",
    "overlong": "..%c0%af",
    "backslash": "..\\",
    "encoded-backslash": "..%5c",
    "null": "%00../",
}

RIGHT = {wanted.path[1:].split("?")[0]: wanted for wanted in fuzzing.every_route("run")}
"""A request by route that is answered."""


@pytest.fixture(scope="module", params=[True, False], ids=["fast", "python"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("logs")
    fuzzing.write_pictured(folder, name="run")
    with serve(folder, load_fast=request.param) as running:
        running.wait_for_records("run", fuzzing.PLAN.steps)
        yield running


@pytest.mark.parametrize("start", ["/", "/static/", "/index.js/", "/picture/"])
@pytest.mark.parametrize("kind", STEPS_UP)
def test_no_path_leads_out_of_the_plugin(server: Server, kind: str, start: str) -> None:
    for path in (STEPS_UP[kind] * 12 + TARGET, STEPS_UP[kind] + "plugin/plugin.py", STEPS_UP[kind] + "index.js.map"):
        answer = ask(server, Wanted("GET", start + path))
        assert fuzzing.complaint(answer) == ""
        assert answer.status == 404


def test_the_page_is_served_under_its_one_name(server: Server) -> None:
    assert ask(server, Wanted("GET", "/index.js")).status == 200
    for path in ("/index.js%00", "//index.js", "/static/index.js", "/INDEX.JS", "/./index.js%2f"):
        assert ask(server, Wanted("GET", path)).status == 404


@pytest.mark.parametrize("parameter", ["run", "layer", "tag"])
@pytest.mark.parametrize("kind", STEPS_UP)
def test_no_parameter_leads_to_a_file(server: Server, kind: str, parameter: str) -> None:
    wanted = RIGHT["picture" if parameter == "tag" else "series"]
    path = wanted.path.replace(f"{parameter}=", f"{parameter}={STEPS_UP[kind] * 12}{TARGET}")
    answer = ask(server, Wanted("GET", path))
    assert fuzzing.complaint(answer) == ""
    assert answer.status == 404


def test_head_gives_what_get_gives_without_a_body(server: Server) -> None:
    for wanted in (Wanted("GET", "/runs"), Wanted("GET", "/index.js"), *fuzzing.every_route("run")):
        got, headed = ask(server, wanted), ask(server, Wanted("HEAD", wanted.path))
        assert (got.status, headed.status, headed.length) == (200, 200, 0)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "odd"])
def test_other_methods_are_refused_on_every_route(server: Server, method: str) -> None:
    for route in fuzzing.ROUTES:
        if (method, route) != ("POST", "/mute"):
            assert ask(server, Wanted(method, f"{route}?run=run")).status == 405


@pytest.mark.parametrize("headers", fuzzing.HEADERS, ids=lambda headers: "-".join(headers))
def test_odd_headers_change_nothing(server: Server, headers: dict[str, str]) -> None:
    for route in ("run", "matrix", "picture"):
        assert ask(server, Wanted("GET", RIGHT[route].path, headers)).status == 200


def test_a_body_that_nobody_asked_for_is_not_read(server: Server) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": "99999999999"}
    assert ask(server, Wanted("GET", "/runs", headers)).status == 200
    assert ask(server, Wanted("POST", "/runs", headers)).status == 405
    assert "Traceback" not in server.log.read_text()
