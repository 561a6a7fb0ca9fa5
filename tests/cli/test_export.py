"""`tb-activations export`: the values in the file are those of the run."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tb_activations import load
from tb_activations.records.columns import LAYER_COLUMNS
from tests.cli.conftest import Call

FOREIGN = Path(__file__).parent / "foreign"


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_every_statistic_of_every_layer_at_every_step(sick: Path, call: Call) -> None:
    answer = call("export", sick)
    assert (answer.status, answer.err) == (0, "")
    run, lines = load(sick), table(answer.out)
    assert list(lines[0]) == ["step", "epoch", "wall_time", "layer", *LAYER_COLUMNS]
    assert [(line["layer"], int(line["step"])) for line in lines] == [
        (layer, step) for step in run.steps for layer in run.layers
    ]
    for column in ("mean", "gradient_norm"):
        values = [np.float32(line[column] or "nan") for line in lines]
        np.testing.assert_array_equal(np.array(values), run.stat(column).ravel())


def test_json_and_csv_have_the_same_rows(sick: Path, call: Call) -> None:
    lines = table(call("export", sick, "--table", "steps").out)
    members = json.loads(
        call("export", sick, "--table", "steps", "--format", "json").out,
        parse_constant=lambda name: pytest.fail(f"{name} is not JSON"),
    )
    assert len(lines) == len(members) == 40
    assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in members] == lines


@pytest.mark.parametrize("name", ["weights", "findings"])
def test_other_tables(name: str, sick: Path, call: Call) -> None:
    run, lines = load(sick), table(call("export", sick, "--table", name).out)
    if name == "weights":
        assert len(lines) == len(run.steps) * len(run.weights)
        assert {line["weight"] for line in lines} == set(run.weights)
    else:
        assert [line["message"] for line in lines] == [finding.message for finding in run.findings]
        assert {line["severity"] for line in lines} == {"problem", "warning"}
        assert lines[0]["units"] == "0 1 2 3"


def test_a_run_without_findings_has_a_table_without_rows(healthy: Path, call: Call) -> None:
    answer = call("export", healthy, "--table", "findings")
    assert (answer.status, table(answer.out)) == (0, [])
    assert answer.out.startswith("rule,layer,severity")
    assert json.loads(call("export", healthy, "--table", "findings", "--format", "json").out) == []


@pytest.mark.parametrize("writer", ["lightning", "keras/train"])
def test_scalars_of_other_writers_are_those_that_tensorboard_sees(writer: str, call: Call) -> None:
    lines = table(call("export", FOREIGN / writer, "--table", "scalars").out)
    seen = EventAccumulator(str(FOREIGN / writer)).Reload()
    tags = seen.Tags()["scalars"] or ["epoch_learning_rate", "epoch_loss"]
    assert {line["tag"] for line in lines} == set(tags)
    for tag in tags:
        points = seen.Scalars(tag) if seen.Tags()["scalars"] else seen.Tensors(tag)
        own = [line for line in lines if line["tag"] == tag]
        assert [int(line["step"]) for line in own] == [point.step for point in points]
        assert [float(line["wall_time"]) for line in own] == [point.wall_time for point in points]
        if seen.Tags()["scalars"]:
            assert [float(line["value"]) for line in own] == [point.value for point in points]
        assert all(math.isfinite(float(line["value"])) for line in own)


def test_parquet_without_its_library_names_the_extra(
    sick: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = call("export", sick, "--format", "parquet", "--output", tmp_path / "x.parquet")
    assert answer.status == 2
    assert answer.err == (
        "Cannot export: Parquet needs pyarrow, which is not installed: pip install 'tb-activations[parquet]'\n"
    )
    assert call("export", sick, "--format", "parquet").err == "Cannot export: --format parquet needs --output FILE\n"


def test_a_file_and_output_to_a_file(sick: Path, tmp_path: Path, call: Call) -> None:
    (file,) = sick.glob("*tfevents*")
    answer = call("export", file, "--output", tmp_path / "layers.csv")
    assert answer == (0, "", "")
    assert (tmp_path / "layers.csv").read_text("utf-8") == call("export", sick).out


def test_what_cannot_be_exported_gives_two(sick: Path, healthy: Path, tmp_path: Path, call: Call) -> None:
    assert call("export", tmp_path / "nowhere").status == 2
    several = call("export", tmp_path)
    assert (several.status, several.out) == (2, "")
    assert "2 runs in" in several.err
    (foreign,) = (FOREIGN / "lightning").glob("*")
    assert "--table scalars exports what other writers recorded" in call("export", foreign).err
    assert call("export", tmp_path, "--table", "scalars").status == 2
    unknown = call("export", sick, "--table", "sloths")
    assert unknown.status == 2
    assert "choose from" in unknown.err
    assert "findings" in unknown.err


def test_a_damaged_end_is_reported(tmp_path: Path, call: Call) -> None:
    (source,) = (FOREIGN / "lightning").glob("*")
    content = bytearray(source.read_bytes())
    content[-3] ^= 0xFF
    (tmp_path / source.name).write_bytes(content)
    answer = call("export", tmp_path, "--table", "scalars")
    assert answer.status == 0
    assert "Data issue" in answer.err
    assert len(table(answer.out)) == 11
