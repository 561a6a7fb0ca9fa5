"""`tb_activations.runs`, and what a run shows of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb_activations import load, runs
from tb_activations.events import record_file
from tests.synthetic import Plan, write_newer_schema, write_run

PLAN = Plan(layers=6, steps=40, units=4, stock=False)


def test_runs_are_listed_by_name_and_can_be_loaded(tmp_path: Path) -> None:
    write_run(tmp_path, name="b/inner", plan=PLAN)
    write_run(tmp_path, name="a", plan=PLAN, sick=False)
    (tmp_path / "empty").mkdir()
    found = runs(tmp_path)
    assert [(run.name, run.path) for run in found] == [("a", tmp_path / "a"), ("b/inner", tmp_path / "b" / "inner")]
    for run in found:
        loaded = run.load()
        assert loaded.name == run.name
        assert loaded.findings == load(tmp_path, run.name).findings


def test_the_directory_itself_can_be_a_run(tmp_path: Path) -> None:
    write_run(tmp_path, plan=PLAN)
    (run,) = runs(str(tmp_path))
    assert (run.name, run.path) == (".", tmp_path)
    assert len(run.load().steps) == 40


def test_there_may_be_none(tmp_path: Path) -> None:
    assert runs(tmp_path) == runs(tmp_path / "nowhere") == ()


def test_listing_reads_the_first_events_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_run(tmp_path, name="long", plan=PLAN)
    write_newer_schema(tmp_path, "newer")
    whole, read = file.stat().st_size, 0
    original = record_file.records

    def counted(path: Path) -> object:
        nonlocal read
        for content in original(path):
            read += len(content)
            yield content

    monkeypatch.setattr("tb_activations.events.files.records", counted)
    assert [run.name for run in runs(tmp_path)] == ["long", "newer"]
    assert 0 < read < whole / 4


def test_a_run_that_was_deleted_since_is_an_error(tmp_path: Path) -> None:
    file = write_run(tmp_path, name="run", plan=PLAN)
    (run,) = runs(tmp_path)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=f"no Layer Health run in {run.path}"):
        run.load()
    run.path.rmdir()
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        run.load()


def test_a_run_at_a_prompt_is_a_few_lines(tmp_path: Path) -> None:
    write_run(tmp_path, name="sick", plan=PLAN)
    run = load(tmp_path)
    lines = repr(run).splitlines()
    assert lines[0] == (
        "<Run 'sick' of model 'synthetic': 6 layers, 40 observed steps from 0 to 390 in 5 epochs, 3 open findings>"
    )
    assert lines[1].strip() == run.verdict.sentence
    assert len(lines) <= 4
