"""`tb-activations export RUN`: the values of a run for other programs."""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

from tb_activations.cli.complaint import complain
from tb_activations.cli.guidance import guide
from tb_activations.cli.output import add_output, write
from tb_activations.events.contents import file_contents
from tb_activations.events.files import event_files
from tb_activations.events.paths import local_path
from tb_activations.events.reader import load, load_folder
from tb_activations.events.run import Run
from tb_activations.events.stock_tags import all_scalars
from tb_activations.events.whereabouts import no_event_file
from tb_activations.report.tables.formats import NoParquetError, as_csv, as_json, write_parquet
from tb_activations.report.tables.run_tables import RUN_TABLES, Table, scalars_table

EXPORTED, CANNOT_EXPORT = 0, 2
FORMATS = ("csv", "json", "parquet")
SCALARS = "scalars"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the run, the table and the format."""
    parser.add_argument("run", metavar="RUN", help="directory of a run, or one of its event files")
    parser.add_argument(
        "--table",
        choices=(*RUN_TABLES, SCALARS),
        default="layers",
        help="which values (default: %(default)s); scalars are those of any writer in the directory",
    )
    parser.add_argument("--format", choices=FORMATS, default="csv", help="default: %(default)s")
    add_output(parser)
    guide(
        parser,
        examples=[
            "tb-activations export logs/run-1 --output layers.csv",
            "tb-activations export logs/run-1 --table findings --format json",
            "tb-activations export logs/run-1 --table scalars --format parquet --output scalars.parquet",
        ],
        statuses={0: "the table was written", 2: "there is no such run, or an argument is invalid"},
    )


def run(arguments: argparse.Namespace) -> int:
    """Writes the table and returns the exit status: 0 if it was written, else 2."""
    if arguments.format == "parquet" and arguments.output is None:
        complain("Cannot export", "--format parquet needs --output FILE")
        return CANNOT_EXPORT
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            table = _table(local_path(arguments.run), arguments.table)
            if arguments.format == "parquet":
                write_parquet(table, Path(os.path.expanduser(arguments.output)))
            else:
                write(as_csv(table) if arguments.format == "csv" else as_json(table), arguments.output)
        except (NoParquetError, OSError, ValueError) as error:
            complain("Cannot export", str(error))
            return CANNOT_EXPORT
    for remark in [str(warning.message) for warning in caught] or _remarks(local_path(arguments.run)):
        complain("Data issue", remark)
    return EXPORTED


def _table(path: Path, name: str) -> Table:
    if name == SCALARS:
        files = _files(path)
        if not files:
            raise no_event_file(path)
        return scalars_table(all_scalars(files))
    return RUN_TABLES[name](_run(path))


def _run(path: Path) -> Run:
    if not os.path.isfile(path):
        return load(path)
    found = load_folder([path], path.parent.name)
    if found is None:
        raise ValueError(f"{path} has no Layer Health records; --table {SCALARS} exports what other writers recorded")
    return found


def _remarks(path: Path) -> list[str]:
    """What is wrong with the files."""
    contents = [file_contents(file) for file in _files(path)]
    return [f"{one.path}: {one.remark}" for one in contents if one.remark and one.tags]


def _files(path: Path) -> Sequence[Path]:
    if os.path.isfile(path):
        return [path]
    return event_files(path) if os.path.isdir(path) else []
