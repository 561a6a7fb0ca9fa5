"""`tb-activations show RUN`: what event files contain, whoever wrote them."""

from __future__ import annotations

import argparse
import datetime
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from tb_activations.cli.complaint import complain
from tb_activations.cli.guidance import guide
from tb_activations.events.contents import FileContents, Tag, file_contents
from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.files import Folder, folders
from tb_activations.events.paths import local_path
from tb_activations.events.reader import load_folder
from tb_activations.events.whereabouts import no_event_file
from tb_activations.health.verdict import verdict
from tb_activations.records.formatting import size
from tb_activations.report.words import plural, printable

SHOWN, NOTHING_TO_SHOW = 0, 2
WIDTH = 110
"""Columns of a table that is written to a file or a pipe."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the path."""
    parser.add_argument("run", metavar="RUN", help="an event file, or a directory with event files in it or below it")
    guide(
        parser,
        examples=[
            "tb-activations show logs/run-1",
            "tb-activations show logs/run-1/events.out.tfevents.1795219200.host.1.0",
        ],
        statuses={0: "at least one event was found", 2: "no event was found, or the path is invalid"},
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints the tags of each directory; returns 0 if an event was found, else 2."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    found = 0
    try:
        for folder in _folders(local_path(arguments.run)):
            files = [_read(path) for path in folder.files]
            for part in _parts(folder, files):
                console.print(part, soft_wrap=isinstance(part, Text))
            found += sum(file.events for file in files if isinstance(file, FileContents))
    except (OSError, ValueError) as error:
        complain("Cannot show", str(error))
        return NOTHING_TO_SHOW
    return SHOWN if found else NOTHING_TO_SHOW


def _folders(path: Path) -> Sequence[Folder]:
    """The directories with event files at or below `path`; for a file a directory with this file only."""
    if os.path.isfile(path):
        return [Folder(path.parent, (path,))]
    found = [folder for folder in folders(path) if folder.files or folder.closed]
    if not found:
        raise no_event_file(path)
    return found


def _read(path: Path) -> FileContents | str:
    """The contents of a file, or why it cannot be read."""
    try:
        return file_contents(path)
    except OSError as error:
        return f"{path.name}: cannot be read: {error.strerror or error}"


def _parts(folder: Folder, files: Sequence[FileContents | str]) -> Iterator[RenderableType]:
    yield Text(printable(str(folder.path)), "bold underline")
    if folder.closed:
        yield Text(f"the directory cannot be opened: {printable(folder.closed)}", "bold red")
    for file in files:
        if isinstance(file, str):
            yield Text(printable(file), "bold red")
            continue
        yield Text(printable(_about(file)))
        if file.remark:
            yield Text(f"  {printable(file.remark)}", "yellow")
    if any(tag.schema is not None for file in files if isinstance(file, FileContents) for tag in file.tags):
        yield from _run(folder)
    tags = _joined([tag for file in files if isinstance(file, FileContents) for tag in file.tags])
    if tags:
        yield _table(tags)
    yield Text()


def _about(file: FileContents) -> str:
    parts = [size(file.nbytes), f"{file.events:,} {plural(file.events, 'event')}", _times(file)]
    parts += [f"written by {file.writer}"] if file.writer else []
    return f"{file.path.name}: {', '.join(filter(None, parts))}"


def _times(file: FileContents) -> str:
    if math.isnan(file.first_time):
        return ""
    first, last = _time(file.first_time), _time(file.last_time)
    return first if first == last else f"{first} to {last}"


def _time(seconds: float) -> str:
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "at an impossible time"


def _run(folder: Folder) -> Iterator[Text]:
    """What this package recorded, in two lines."""
    with warnings.catch_warnings():
        # The remarks about the files name the same damage.
        warnings.simplefilter("ignore")
        try:
            run = load_folder(folder.files, folder.path.name)
        except UnreadableRunError as error:
            yield Text(f"Layer Health run that cannot be read: {printable(str(error))}", "bold red")
            return
    if run is None:
        return
    versions = ", ".join(f"{name} {version}" for name, version in run.spec.versions.items())
    weights = f"{len(run.weights)} {plural(len(run.weights), 'weight')}"
    steps = f"{len(run.steps):,} observed {plural(len(run.steps), 'step')}"
    about = (
        f"model {run.spec.model}, {len(run.layers)} {plural(len(run.layers), 'layer')}, {weights}, {steps}; {versions}"
    )
    yield Text(f"Layer Health run: {printable(about)}")
    judged = verdict(run.spec, run.findings, run.last_outcomes, run.rules, run.last_training)
    yield Text(f"Verdict: {printable(judged.sentence)}")


def _joined(tags: Sequence[Tag]) -> list[Tag]:
    """One entry per tag, over all files of a directory."""
    joined: dict[tuple[str, str], Tag] = {}
    for tag in tags:
        known = joined.get((tag.kind, tag.name))
        joined[tag.kind, tag.name] = known.with_points_of(tag) if known else tag
    return [joined[key] for key in sorted(joined)]


def _table(tags: Sequence[Tag]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("Kind", no_wrap=True)
    table.add_column("Tag", overflow="fold")
    for heading in ("Points", "Steps", "Size"):
        table.add_column(heading, justify="right", no_wrap=True)
    is_ours = any(tag.schema is not None for tag in tags)
    if is_ours:
        table.add_column("Schema", justify="right", no_wrap=True)
    for tag in tags:
        steps = f"{tag.first_step}" if tag.first_step == tag.last_step else f"{tag.first_step} to {tag.last_step}"
        cells: list[str | Text] = [
            Text(printable(tag.kind)),
            Text(printable(tag.name)),
            f"{tag.points:,}",
            steps,
            size(tag.nbytes),
        ]
        cells += [_schema(tag)] if is_ours else []
        table.add_row(*cells)
    return table


def _schema(tag: Tag) -> str:
    if tag.schema is None:
        return ""
    return str(tag.schema) if tag.schema else "unknown"
