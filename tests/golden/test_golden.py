"""Every schema version that was ever written stays readable and means the same."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tb_activations.events import schema
from tb_activations.events.reader import load
from tb_activations.events.run import Run
from tb_activations.events.schema import SCHEMA_VERSION
from tb_activations.testing import ASPECTS, assert_runs_match
from tests.golden.make_golden import FOLDER, RUNS, TRAINED, contents
from tests.synthetic import write_run

TABLES = {schema.LAYERS: "layer_table", schema.WEIGHTS: "weight_table", schema.STEP: "step_table"}
EXPECTED = sorted(FOLDER.glob("v*/*.json"))


def test_there_are_files_of_every_version() -> None:
    assert {path.parent.name for path in EXPECTED} == {f"v{version}" for version in range(1, SCHEMA_VERSION + 1)}


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_golden_run_reads_as_ever(expected: Path) -> None:
    folder = expected.with_suffix("")
    stored = with_signs(json.loads(expected.read_text("utf-8")))
    assert contents(as_written(load(folder), folder), stored) == stored


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_columns_that_came_later_are_not_measured(expected: Path) -> None:
    run = load(expected.with_suffix(""))
    for tag, table in TABLES.items():
        later = [name for name in schema.COLUMNS[tag] if name not in stored_columns(expected.with_suffix(""), tag)]
        places = [schema.COLUMNS[tag].index(name) for name in later]
        assert np.isnan(getattr(run, table)[..., places]).all()


def with_signs(stored: dict[str, Any]) -> dict[str, Any]:
    """The same with ids and units in findings that were written when a title told signs apart."""
    signs = {"share of units dead": ("dead_share", "share"), "elasticity of the loss": ("elasticity", "")}
    for finding in stored["findings"]:
        if "sign" not in finding:
            sign, unit = signs[finding["quantity"]]
            # What reads as false is left out of the comparison where it was added later.
            finding |= {"quantity": sign, "sign": sign} | ({"unit": unit} if unit else {})
    return stored


def stored_columns(folder: Path, tag: str) -> list[str]:
    """The columns that a tag had when the run was written."""
    events = EventAccumulator(str(folder)).Reload()
    columns: list[str] = json.loads(events.SummaryMetadata(tag).plugin_data.content)["columns"]
    return columns


def as_written(run: Run, folder: Path) -> Run:
    """The run with the columns it was written with."""
    places = {tag: [schema.COLUMNS[tag].index(name) for name in stored_columns(folder, tag)] for tag in TABLES}
    tables = {table: getattr(run, table)[..., places[tag]] for tag, table in TABLES.items()}
    return dataclasses.replace(run, **tables)


def test_a_change_of_meaning_would_be_seen() -> None:
    expected = with_signs(json.loads(EXPECTED[0].read_text("utf-8")))
    expected["spec"]["layers"][0]["units"] += 1
    folder = EXPECTED[0].with_suffix("")
    assert contents(as_written(load(folder), folder), expected) != expected


@pytest.mark.parametrize("name", RUNS)
def test_the_current_version_is_still_written_so(name: str, tmp_path: Path) -> None:
    write_run(tmp_path, name=name, plan=RUNS[name])
    assert_runs_match(FOLDER / f"v{SCHEMA_VERSION}" / name, tmp_path / name, rtol=1e-6, include=ASPECTS)


@pytest.mark.parametrize("folder", sorted(FOLDER.glob(f"v*/{TRAINED}")), ids=lambda folder: folder.parent.name)
def test_the_trained_run_holds_a_death_and_what_the_stock_tabs_show(folder: Path) -> None:
    run = load(folder)
    assert [(finding.rule, finding.layer) for finding in run.findings] == [("dead_units", "dying")]
    silent = run.stat("silent_fraction")[:, run.layers.index("dying")]
    assert silent[0] < 1
    assert silent[-1] == 1
    tags = EventAccumulator(str(folder)).Reload().Tags()["tensors"]
    assert {"gradient_norm/hidden", "activation/hidden", "gradient/hidden"} <= set(tags)
