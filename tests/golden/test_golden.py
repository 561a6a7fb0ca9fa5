"""Every schema version that was ever written stays readable and means the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tb_activations.events.reader import load
from tb_activations.events.schema import SCHEMA_VERSION
from tb_activations.testing import assert_runs_match
from tests.golden.make_golden import FOLDER, RUNS, TRAINED, contents
from tests.synthetic import write_run

EXPECTED = sorted(FOLDER.glob("v*/*.json"))


def test_there_are_files_of_every_version() -> None:
    assert {path.parent.name for path in EXPECTED} == {f"v{version}" for version in range(1, SCHEMA_VERSION + 1)}


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_golden_run_reads_as_ever(expected: Path) -> None:
    assert contents(load(expected.with_suffix(""))) == json.loads(expected.read_text("utf-8"))


@pytest.mark.parametrize("name", RUNS)
def test_the_current_version_is_still_written_so(name: str, tmp_path: Path) -> None:
    write_run(tmp_path, name=name, plan=RUNS[name])
    assert_runs_match(FOLDER / f"v{SCHEMA_VERSION}" / name, tmp_path / name, rtol=1e-6)


@pytest.mark.parametrize("folder", sorted(FOLDER.glob(f"v*/{TRAINED}")), ids=lambda folder: folder.parent.name)
def test_the_trained_run_holds_a_death_and_what_the_stock_tabs_show(folder: Path) -> None:
    run = load(folder)
    assert [(finding.rule, finding.layer) for finding in run.findings] == [("dead_units", "dying")]
    silent = run.stat("silent_fraction")[:, run.layers.index("dying")]
    assert silent[0] < 1
    assert silent[-1] == 1
    tags = EventAccumulator(str(folder)).Reload().Tags()["tensors"]
    assert {"gradient_norm/hidden", "activation/hidden", "gradient/hidden"} <= set(tags)
