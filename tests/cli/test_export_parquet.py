"""`tb-activations export --format parquet`: what is read back is what CSV and JSON have."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pytest
from pyarrow import parquet

from tb_activations.report.tables.run_tables import RUN_TABLES
from tests.cli.conftest import Call

FOREIGN = Path(__file__).parent / "foreign"
TEXTS = {"layer", "weight", "tag", "rule", "severity", "message", "units", "root"}


def exported(run: Path, table: str, folder: Path, call: Call) -> Any:
    file = folder / f"{table}.parquet"
    assert call("export", run, "--table", table, "--format", "parquet", "--output", file) == (0, "", "")
    return parquet.read_table(file)


@pytest.mark.parametrize("table", [*RUN_TABLES])
@pytest.mark.parametrize("kind", ["sick", "healthy", "hostile"])
def test_the_values_are_those_of_json(
    table: str, kind: str, tmp_path: Path, call: Call, request: pytest.FixtureRequest
) -> None:
    run = request.getfixturevalue(kind)
    read = exported(run, table, tmp_path, call)
    members = json.loads(call("export", run, "--table", table, "--format", "json").out)
    assert read.num_rows == len(members)
    for row, member in zip(read.to_pylist(), members, strict=True):
        assert list(row) == list(member)
        assert {name: in_json(value, read.schema.field(name).type) for name, value in row.items()} == member


def in_json(value: Any, kind: Any) -> Any:
    """As the JSON format writes a value that was not measured, or is infinite."""
    if not isinstance(value, float):
        return value
    # The shortest text of a float32 is not that of the same number in 64 bits.
    value = float(str(np.float32(value))) if kind == arrow.float32() else value
    return None if value != value else value if abs(value) != float("inf") else "Infinity" if value > 0 else "-Infinity"


@pytest.mark.parametrize("table", ["layers", "weights", "steps"])
def test_types_are_kept(table: str, sick: Path, tmp_path: Path, call: Call) -> None:
    schema = exported(sick, table, tmp_path, call).schema
    for name, kind in zip(schema.names, schema.types, strict=True):
        wanted = {"step": arrow.int64(), "epoch": arrow.int64(), "wall_time": arrow.float64()}
        assert kind == wanted.get(name, arrow.string() if name in TEXTS else arrow.float32()), name


@pytest.mark.parametrize("writer", ["lightning", "keras/train"])
def test_scalars_of_other_writers_are_those_of_csv(writer: str, tmp_path: Path, call: Call) -> None:
    read = exported(FOREIGN / writer, "scalars", tmp_path, call)
    lines = list(csv.DictReader(io.StringIO(call("export", FOREIGN / writer, "--table", "scalars").out)))
    assert read.num_rows == len(lines) > 0
    assert [{name: str(value) for name, value in row.items()} for row in read.to_pylist()] == lines


def test_an_empty_table_keeps_its_columns(healthy: Path, tmp_path: Path, call: Call) -> None:
    read = exported(healthy, "findings", tmp_path, call)
    assert read.num_rows == 0
    assert read.schema.names == call("export", healthy, "--table", "findings").out.strip().split(",")


def test_a_file_that_cannot_be_written_gives_two(sick: Path, tmp_path: Path, call: Call) -> None:
    answer = call("export", sick, "--format", "parquet", "--output", tmp_path / "no" / "where.parquet")
    assert answer.status == 2
    assert answer.err.startswith("Cannot export: ")
