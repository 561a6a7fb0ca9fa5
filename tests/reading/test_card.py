"""What a run and a folder of runs show in a notebook: complete, escaped, nothing to load."""

from __future__ import annotations

from pathlib import Path

from tb_activations import load
from tb_activations.events.record_file import framed, records
from tests.report.test_page import Page
from tests.synthetic import HOSTILE_NAMES, Plan, write_run

PLAN = Plan(layers=6, steps=40, units=4, stock=False)


def test_a_run_shows_verdict_sparklines_and_findings(tmp_path: Path) -> None:
    write_run(tmp_path, plan=PLAN)
    run = load(tmp_path)
    page = Page(run._repr_html_())
    assert run.verdict.sentence in page.text
    for finding in run.findings:
        assert finding.message in page.text or finding.root is not None
    for layer in run.layers:
        assert layer in page.text
    assert len(page.all("svg")) >= 1 + 2 * len(run.layers)


def test_a_run_at_a_prompt_is_a_few_lines_without_arrays(tmp_path: Path) -> None:
    write_run(tmp_path, plan=PLAN)
    run = load(tmp_path)
    lines = repr(run).splitlines()
    assert len(lines) <= 12
    assert max(map(len, lines)) <= 240
    assert "array(" not in repr(run)
    assert run.verdict.sentence in repr(run)


def test_nothing_runs_and_nothing_is_loaded(tmp_path: Path) -> None:
    write_run(tmp_path, name="one", plan=PLAN, hostile=True)
    write_run(tmp_path, name="<script>two</script>", plan=PLAN)
    for shown in (load(tmp_path), load(tmp_path, "one")):
        page = Page(shown._repr_html_())
        assert not {name for name, _ in page.elements} & {"script", "link", "iframe", "img"}
        for _, attributes in page.elements:
            assert not {"src", "href", "onerror", "onload"} & set(attributes)
    assert HOSTILE_NAMES[0] in Page(load(tmp_path, "one")._repr_html_()).text


def test_a_run_without_steps_says_why_there_is_nothing_to_draw(tmp_path: Path) -> None:
    file = write_run(tmp_path, plan=PLAN)
    file.write_bytes(b"".join(framed(content) for content in list(records(file))[:2]))
    page = Page(load(tmp_path)._repr_html_())
    assert "no step was observed" in page.text
    assert page.all("svg") == []


def test_a_folder_has_one_row_for_each_run(tmp_path: Path) -> None:
    write_run(tmp_path, name="a", plan=PLAN)
    write_run(tmp_path, name="b", plan=PLAN, sick=False)
    page = Page(load(tmp_path)._repr_html_())
    assert len(page.all("tr")) == 3
    assert len(page.all("svg")) == 2
