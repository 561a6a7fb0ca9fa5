"""Tables as CSV, JSON and Parquet."""

from __future__ import annotations

import csv
import importlib
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from tb_activations.report.tables.run_tables import Table


class NoParquetError(ImportError):
    """The library that writes Parquet files is not installed."""

    def __init__(self) -> None:
        super().__init__("Parquet needs pyarrow, which is not installed: pip install 'tb-activations[parquet]'")


def as_csv(table: Table) -> str:
    """A line of names, then a line per row; NaN is empty."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*([_cell(value) for value in column] for column in table.values()), strict=True))
    return written.getvalue()


def as_json(table: Table) -> str:
    """A list with an object per row; NaN is null, infinities are the strings "Infinity" and "-Infinity"."""
    columns = [[_member(value) for value in column] for column in table.values()]
    rows = [json.dumps(dict(zip(table, row, strict=True)), ensure_ascii=False) for row in zip(*columns, strict=True)]
    return "[\n" + ",\n".join(rows) + "\n]\n"


def write_parquet(table: Table, path: Path) -> None:
    """Writes a file; types of the columns are kept.

    Raises:
        NoParquetError: pyarrow is not installed.
        OSError: the file cannot be written.
    """
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise NoParquetError from error
    parquet.write_table(arrow.table({name: arrow.array(column) for name, column in table.items()}), path)


def _cell(value: Any) -> str:
    # The text of a float32 has the digits that it needs and no more.
    return "" if isinstance(value, float | np.floating) and math.isnan(value) else str(value)


def _member(value: Any) -> Any:
    if not isinstance(value, float | np.floating):
        return value.item() if isinstance(value, np.generic) else value
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return None if math.isnan(value) else float(str(value))
