"""What the tab says of real trainings: the step it opens at, spellings of a number, thresholds, names of rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tb_activations import load
from tb_activations.cli.main import main
from tests.browser import real_runs
from tests.browser.conftest import OpenTab
from tests.conftest import Once
from tests.live_server import Server, serve

LAYER = "hidden_1"
"""The layer of "vanishing" at which the gradient has vanished."""
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-\u2212]?\d+)?")


@pytest.fixture(scope="module")
def logs(once: Once) -> Path:
    return once("real_runs", real_runs.write_all)


@pytest.fixture(scope="module")
def trained(logs: Path) -> Iterator[Server]:
    with serve(logs) as server:
        for folder in logs.iterdir():
            server.wait_for_records(folder.name, len(load(folder).steps))
        yield server


def place(run: str, layer: str) -> str:
    return f"&p.layer_health.run={run}&p.layer_health.layer={layer}"


def number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def spellings(texts: list[str], value: float) -> set[str]:
    """How the numbers in the texts that are `value`, rounded to one digit or more, are written."""
    found = {word for text in texts for word in NUMBER.findall(text)}
    return {word for word in found if abs(number(word) - value) <= 0.03 * value}


def test_the_tab_opens_at_a_step_with_a_whole_batch(open_alone: OpenTab, trained: Server) -> None:
    tab = open_alone(trained, place=place("partial", "hidden"))
    series = tab.panel("series")
    series.get_by_text("Statistics", exact=True).click()
    series.get_by_label("Output values").check()
    series.get_by_text("Statistics", exact=True).click()
    whole = f"{real_runs.BATCH * real_runs.UNITS} values"
    expect(series.locator("figure", has_text="Output values").locator("figcaption b")).to_have_text(whole)
    series.get_by_role("button", name="Table", exact=True).click()
    column = series.get_by_role("columnheader", name="Output values").evaluate("cell => cell.cellIndex")
    values = series.locator(f"tbody tr > :nth-child({column + 1})").all_inner_texts()
    partial = [text for text in values if number(text.split()[0]) < real_runs.BATCH * real_runs.UNITS]
    assert len(partial) < len(values) / 3, "epochs have three batches, one of which is smaller"


def test_a_value_and_its_threshold_are_written_the_same_everywhere(
    open_alone: OpenTab, trained: Server, logs: Path, tmp_path: Path
) -> None:
    run = load(logs / "vanishing")
    (value,) = [finding.value for finding in run.findings if finding.layer == LAYER]
    assert value == pytest.approx(8.77e-4, rel=5e-3)
    tab = open_alone(trained, place=place("vanishing", LAYER))
    shown = [place.inner_text() for place in (tab.verdict, tab.panel("layers"), tab.panel("findings"))]
    for form in ("text", "html"):
        output = tmp_path / f"report.{form}"
        assert main(["report", str(logs / "vanishing"), "--format", form, "--output", str(output)]) == 0
        shown.append(re.sub(r"<(style|svg).*?</\1>", "", output.read_text("utf-8"), flags=re.DOTALL))
    assert spellings(shown, value) == {"8.77e-4"}
    thresholds = {word for text in shown for word in re.findall(rf"threshold ({NUMBER.pattern})", text)}
    assert len(thresholds) == len({number(word) for word in thresholds})


def test_a_finding_names_the_documented_threshold_also_while_it_stays_open(
    open_alone: OpenTab, trained: Server
) -> None:
    tab = open_alone(trained, place=place("vanishing", LAYER))
    card = tab.panel("findings")
    expect(card).to_contain_text(re.compile("threshold"))
    named = [number(word) for word in re.findall(rf"threshold ({NUMBER.pattern})", card.inner_text())]
    assert set(named) == {0.001}
    expect(card).to_contain_text("closes at 0.002")


def test_after_infinite_outputs_the_forward_pass_is_not_called_finite(open_alone: OpenTab, trained: Server) -> None:
    tab = open_alone(trained, place=place("overflow", "log_variance"))
    card = tab.panel("findings")
    expect(card).to_contain_text("312")
    expect(card).not_to_contain_text("The forward pass was finite")
    expect(card).to_contain_text("Outputs of decoder were not finite in that step either")


def test_both_learning_rates_of_two_optimizers_have_a_name(open_alone: OpenTab, trained: Server) -> None:
    tab = open_alone(trained, place=place("gan", "generator/image"))
    training = tab.panel("training")
    training.get_by_role("button", name="Table", exact=True).click()
    titles = training.get_by_role("columnheader").all_inner_texts()
    rates = [index for index, title in enumerate(titles) if title.startswith("Learning rate")]
    newest = training.locator("tbody tr").first.locator("th, td").all_inner_texts()
    assert {float(newest[index]) for index in rates} == {real_runs.GENERATOR_RATE, real_runs.DISCRIMINATOR_RATE}
    assert len({titles[index] for index in rates}) == 2


def test_the_list_does_not_begin_with_rows_that_cannot_be_judged(open_alone: OpenTab, trained: Server) -> None:
    tab = open_alone(trained, place="&p.layer_health.run=recurrent")
    expect(tab.layers.first).to_contain_text("lstm")
    states = tab.frame.locator(".layer-list .shape").all_inner_texts()
    assert not re.search("Not (observable|applicable|enough)", states[0])


def test_list_timeline_and_map_agree_on_every_layer(open_alone: OpenTab, trained: Server) -> None:
    tab = open_alone(trained, place="&p.layer_health.run=recurrent", height=1800)
    for row in tab.layers.all():
        row.click()
        name = tab.selected_layer.get_attribute("title") or ""
        state = " ".join(row.locator(".shape").inner_text().split())
        expect(tab.panel("matrix").locator(".readout")).to_contain_text(state[2:])
        model_row = tab.panel("map").locator(f".map-row[title='{name}']")
        expect(model_row.locator(".shape")).to_have_text(re.compile(rf"^\s*{re.escape(state[0])}\s*{state[2:]}\s*$"))
