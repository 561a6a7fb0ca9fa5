"""The HTML report: complete, self-contained, escaped; `tests/browser` checks it in Chromium."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event

from tb_activations import load
from tb_activations.events.encoding import Encoder
from tb_activations.records.finding import Outcome
from tb_activations.report.course import health_course, summary, with_extremes
from tb_activations.report.drawing import line_chart
from tests.cli.conftest import PLAN, Call
from tests.synthetic import START_TIME, run_spec, write_events, write_run

VOID = {"meta", "img", "rect", "line", "br"}


class Page(HTMLParser):
    """Elements, text, and whether every element is closed where it should be."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_page_shows_every_finding(sick: Path, call: Call) -> None:
    page = Page(call("report", sick, "--format", "html").out)
    for finding in load(sick).findings:
        assert finding.message in page.text
        assert finding.advice in page.text
        assert finding.might_be_wrong in page.text
    assert "3 of 6 layers need attention." in page.text
    assert "3 checked (Dead units, Vanishing gradient, NaN or infinity)" in page.text


def test_every_layer_is_listed_with_its_outcomes(sick: Path, call: Call) -> None:
    page = Page(call("report", sick, "--format", "html").out)
    assert "▲ problem: Dead units; ✓ 2 OK" in page.text
    assert "✓ 2 OK; – 1 not applicable" in page.text


def test_every_layer_has_its_strip_and_every_sick_one_its_charts(sick: Path, call: Call) -> None:
    page = Page(call("report", sick, "--format", "html").out)
    drawings = [attributes.get("class") for attributes in page.all("svg")]
    assert drawings.count("strip") == 6
    # Loss and learning rate, then six statistics for each of three sick layers.
    assert drawings.count("chart") == 2 + 3 * 6
    labels = [attributes["aria-label"] or "" for attributes in page.all("div") if "aria-label" in attributes]
    assert any(re.match(r"Loss: \d\.\d+ at step 0, ", label) for label in labels)
    assert sum(attributes.get("class") == "mark" for attributes in page.all("line")) == 3 * 6


def test_a_layer_with_sick_units_has_its_life_map(sick: Path, call: Call) -> None:
    page = Page(call("report", sick, "--format", "html").out)
    (picture,) = page.all("img")
    assert picture["alt"] == "Unit life map of dense_2: 4 died"
    kind, _, data = (picture["src"] or "").partition(",")
    assert kind == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).format == "PNG"


def test_the_page_is_self_contained(hostile: Path, call: Call) -> None:
    source = call("report", hostile, "--format", "html").out
    page = Page(source)
    assert not {"script", "link", "iframe", "object", "base", "form"} & {name for name, _ in page.elements}
    addresses = [
        value for _, attributes in page.elements for name, value in attributes.items() if name in ("src", "href")
    ]
    assert all(address and address.startswith(("data:image/png;base64,", "#run-")) for address in addresses)
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    style = source[source.index("<style>") : source.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_hostile_names_are_text(hostile: Path, call: Call) -> None:
    page = Page(call("report", hostile, "--format", "html").out)
    names = load(hostile).layers
    assert all(name in page.text for name in names)
    assert any("<script>" in name for name in names)


def test_the_same_run_gives_the_same_page(sick: Path, call: Call) -> None:
    assert call("report", sick, "--format", "html").out == call("report", sick, "--format", "html").out


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_a_run_without_an_observed_step_can_be_reported(form: str, tmp_path: Path, call: Call) -> None:
    described = Event(wall_time=1.0, summary=Encoder().run(run_spec(PLAN)))
    write_events(tmp_path, [described])
    for judged in ([], ["--thresholds", tmp_path / "rules.json"]):
        (tmp_path / "rules.json").write_text('["dead_units"]')
        answer = call("report", tmp_path, "--format", form, *judged)
        assert (answer.status, answer.err) == (0, "")
        assert "✓" not in answer.out
    assert "no step was observed" in answer.out or form == "json"


def test_several_runs_are_listed_and_linked(sick: Path, newer: Path, tmp_path: Path, call: Call) -> None:
    write_run(tmp_path / "one", plan=PLAN, steps=1, sick=False)
    page = Page(call("report", tmp_path, "--format", "html").out)
    # The sick run is the second by name.
    assert [attributes["href"] for attributes in page.all("a")] == ["#run-2", "#run-1"]
    assert "schema version 99" in page.text


def test_runs_are_folded_only_if_there_are_several(sick: Path, healthy: Path, tmp_path: Path, call: Call) -> None:
    several = Page(call("report", tmp_path, "--format", "html").out)
    assert several.all("details").count({"class": "run"}) == 2
    assert [attributes["id"] for attributes in several.all("section") if "id" in attributes] == ["run-1", "run-2"]
    # The parts of a run are folded too, up to a few consequences of a cause.
    parts = [part for part in several.all("details") if part["class"] == "part"]
    assert [part for part in parts if "open" in part] == [{"class": "part", "open": None}]
    one = Page(call("report", sick, "--format", "html").out)
    assert {part["class"] for part in one.all("details")} == {"part", "finding problem"}
    assert all("open" in part for part in one.all("details"))


def test_the_overview_counts_the_states_and_has_the_worst_run_first(
    sick: Path, newer: Path, tmp_path: Path, call: Call
) -> None:
    write_run(tmp_path / "a_healthy_run", plan=PLAN, sick=False)
    source = call("report", tmp_path, "--format", "html").out
    assert "3 runs: 1 with problems, 1 OK, 1 cannot be read" in Page(source).text
    table = source[source.index('<table class="overview"') : source.index("</table>")]
    assert table.index(">sick<") < table.index(">a_healthy_run<") < table.index(">newer<")


def test_silence_is_drawn_only_where_it_can_be_a_fault(tmp_path: Path, call: Call) -> None:
    write_run(tmp_path / "plain", plan=PLAN)
    plain = load(tmp_path / "plain")
    (dead,) = (finding for finding in plain.findings if finding.rule == "dead_units")
    head = plain.spec.layers[-1].name
    nan = dataclasses.replace(dead, rule="nonfinite", layer=head, opened_step=0, units=(), unit_count=0)
    encoder = Encoder()
    events = [Event(wall_time=START_TIME, summary=encoder.run(plain.spec))]
    for index, record in enumerate(plain.records()):
        outcomes = plain.outcomes[index].copy()
        outcomes[-1] = Outcome.NOT_APPLICABLE
        outcomes[-1, plain.rules.index("nonfinite")] = Outcome.PROBLEM
        findings = [*plain.findings, nan] if index == PLAN.steps - 1 else None
        summary = encoder.record(record, outcomes=outcomes, rules=plain.rules, findings=findings)
        events.append(Event(wall_time=START_TIME + index + 1, step=record.step, summary=summary))
    write_events(tmp_path / "run", events)
    run = load(tmp_path / "run")
    page = Page(call("report", tmp_path / "run", "--format", "html").out)
    drawn = [label for label in page.all("div") if (label.get("aria-label") or "").startswith("Silent")]
    assert len({finding.layer for finding in run.findings}) == 4
    assert len(drawn) == 3, f"no rule asks whether units of {head} are silent"


def test_health_over_time_keeps_the_worst(sick: Path) -> None:
    course = health_course(load(sick), 10)
    assert course.steps.tolist()[-1] == 390
    assert course.ever_sick == [0, 1, 2]
    assert [(start, outcome.name) for start, _, outcome in course.stretches(2)] == [(0, "OK"), (3, "PROBLEM")]


def test_fewer_points_keep_spikes_and_non_finite_values() -> None:
    values = np.zeros(10_000, np.float32)
    values[[1234, 5678]] = 7, -7
    values[8765] = np.inf
    chosen = with_extremes(values, 100)
    assert {0, 1234, 5678, 8765, 9999} <= set(chosen.tolist())
    assert len(chosen) <= 3 * 50 + 2
    assert (np.diff(chosen) > 0).all()


def test_a_summary_leaves_out_non_finite_values() -> None:
    steps = np.arange(5) * 10
    found = summary(steps, np.array([np.nan, 3, 1, np.inf, 2], np.float32))
    assert found is not None
    assert (found.first, found.first_step, found.last, found.last_step) == (3, 10, 2, 40)
    assert (found.lowest, found.lowest_step, found.highest, found.highest_step) == (1, 20, 3, 10)
    assert found.nonfinite == 2
    assert summary(steps, np.full(5, np.nan, np.float32)) is None


def test_a_chart_shows_gaps_zeros_and_infinities() -> None:
    values = np.array([1, 10, np.nan, 100, 0, 0, np.inf, 1000], np.float32)
    chart = line_chart(np.arange(8), values, scale="log")
    assert chart is not None
    assert (chart.low, chart.high, chart.is_log) == ("1", "1000", True)
    assert chart.svg.count('class="line"') == 3
    assert chart.svg.count('class="below"') == 1
    assert chart.svg.count('class="infinite"') == 1


@pytest.mark.parametrize("value", [0.0, -1.0, 5.0, np.inf, 3e38])
@pytest.mark.parametrize("scale", ["linear", "log", "symlog"])
def test_any_constant_can_be_drawn(value: float, scale: str) -> None:
    chart = line_chart(np.arange(3), np.full(3, value, np.float32), scale=scale)
    assert chart is not None
    assert "nan" not in chart.svg
    assert "inf," not in chart.svg


def test_a_series_without_measurements_is_not_drawn() -> None:
    assert line_chart(np.arange(3), np.full(3, np.nan, np.float32), scale="linear") is None
    assert line_chart(np.arange(0), np.empty(0, np.float32), scale="linear") is None
