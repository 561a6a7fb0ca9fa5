"""Measures stored runs of ResNet50, 1,000 records each: `python -m benchmarks.stored [--markdown PAGE] [--run DIR]`."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.page import machine, replace_section, table
from benchmarks.stored.serving import Served, served
from benchmarks.stored.training import STEPS
from tb_activations.events.reader import run_names

FEW, MANY, FOLDERS = 3, 200, 1000
TURNS = 3
LOADERS = {True: "data server", False: "Python loader"}
STATISTIC = """
import sys, time
from tb_activations import load
began = time.perf_counter()
load(sys.argv[1]).stat("zero_fraction")
print(time.perf_counter() - began)
"""

Row = list[str]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stored")
    parser.add_argument(
        "--run", type=Path, help="a run that `benchmarks.stored.training` recorded; default: record one"
    )
    parser.add_argument("--markdown", type=Path, help="also write the section into this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        run = arguments.run or Path(place, "trained")
        if not arguments.run:
            subprocess.run([sys.executable, "-m", "benchmarks.stored.training", str(run)], check=True)
        text = _section(run, Path(place))
    print(text)
    if arguments.markdown is not None:
        replace_section(arguments.markdown, text)


def _section(run: Path, place: Path) -> str:
    few, many, folders = (_copies(run, place / str(count), count) for count in (FEW, MANY, FOLDERS))
    size = sum(path.stat().st_size for path in run.glob("*tfevents*"))
    rows = [["event file", f"{size / 1e6:.1f} MB", f"{size / STEPS / 1000:.1f} kB a record, everything included"]]
    rows += _reading(few, folders)
    routes = {}
    for load_fast, loader in LOADERS.items():
        empty, _ = served(_copies(run, place / f"none-{load_fast}", 0), 0, 0, load_fast=load_fast)
        with_few, routes[loader] = served(few, FEW, STEPS, load_fast=load_fast)
        rows += _memory(f"TensorBoard, {loader}, {FEW} runs", with_few, empty)
    with_many, _ = served(many, MANY, STEPS, load_fast=True)
    rows += _memory(f"TensorBoard, data server, {MANY} runs", with_many, Served(0, 0, 0, 0, 0))
    rows.append([f"list of {MANY} runs", f"{with_many.first_list:.1f} s", f"later {with_many.later_list:.2f} s"])
    return f"""## Stored runs

{machine("tensorboard")}.

A run of ResNet50 (176 rows in the tab) with {STEPS:,} records, all features on, recorded by
`benchmarks.stored.training`; several runs are links to its file. Once each, commands and reading as median of {TURNS}.

{table(("what", "measured", "about it"), rows)}

95th percentile of a route's answers, in milliseconds, with {FEW} runs, once it has been asked:

{_routes_table(routes)}"""


def _reading(few: Path, folders: Path) -> Iterator[Row]:
    one = [float(_output("-c", STATISTIC, str(few / "run-0"))) for _ in range(TURNS)]
    yield ["`load`, one statistic", f"{statistics.median(one):.2f} s", f"of {STEPS:,} records"]
    check = [_timed("-m", "tb_activations", "check", str(few)) for _ in range(TURNS)]
    yield [f"`check`, {FEW} runs", f"{statistics.median(check):.1f} s", "the whole command"]
    began = time.perf_counter()
    count = len(run_names(str(folders)))
    yield [f"`runs`, {count:,} folders", f"{time.perf_counter() - began:.1f} s", "their names"]


def _memory(name: str, found: Served, empty: Served) -> Iterator[Row]:
    above = " more than an empty one" if empty.tab else ""
    yield [
        name,
        f"{found.tab - empty.tab + found.data_server - empty.data_server:.0f} MiB{above}",
        f"{found.tab - empty.tab:.0f} in the process of the tab, {found.data_server - empty.data_server:.0f} in the "
        f"data server; loaded in {found.loading:.0f} s",
    ]


def _routes_table(routes: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(routes.values())))
    rows = [[loader, *(f"{took[name]:.0f}" for name in names)] for loader, took in routes.items()]
    return table(("loader", *names), rows)


def _copies(run: Path, folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"run-{number}").mkdir()
        for file in run.glob("*tfevents*"):
            os.link(file, folder / f"run-{number}" / file.name)
    return folder


def _timed(*command: str) -> float:
    began = time.perf_counter()
    _output(*command)
    return time.perf_counter() - began


def _output(*command: str) -> str:
    done = subprocess.run([sys.executable, *command], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{command[:3]} ended with {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
