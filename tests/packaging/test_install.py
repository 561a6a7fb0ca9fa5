"""What a user gets: wheel and sdist in clean environments without Node and TensorFlow; the README's commands."""

from __future__ import annotations

import contextlib
import json
import queue
import re
import shutil
import site
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.conftest import Once
from tests.live_server import ROOT
from tests.packaging import machines
from tests.packaging.machines import Distributions, environment, installed, run
from tests.packaging.readme import COMMANDS
from tests.synthetic import write_run

DEADLINE = 120.0
"""Seconds; reached only when something is broken."""


@contextlib.contextmanager
def speaking(
    command: list[str], folder: Path, cwd: Path, pattern: str
) -> Iterator[tuple[subprocess.Popen[str], re.Match[str]]]:
    """A running program and the first match of `pattern` in what it prints; ended on leaving."""
    process = subprocess.Popen(
        [str(folder / "bin" / command[0]), *command[1:]],
        cwd=cwd,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    # Keep reading, or a full pipe would block the program.
    reader = threading.Thread(target=pass_on, args=(process.stdout, lines))
    reader.start()
    try:
        yield process, wait_for(pattern, lines)
    finally:
        process.terminate()
        process.wait(timeout=DEADLINE)
        reader.join(timeout=DEADLINE)
        process.stdout.close()


def pass_on(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def wait_for(pattern: str, lines: queue.Queue[str | None]) -> re.Match[str]:
    printed = ""
    while (line := lines.get(timeout=DEADLINE)) is not None:
        printed += line
        if found := re.search(pattern, line):
            return found
    raise AssertionError(f"it ended without printing {pattern!r}:\n{printed}")


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
        content: bytes = answer.read()
    return content


@pytest.fixture(scope="session")
def distributions(once: Once) -> Distributions:
    return machines.distributions(once)


@pytest.fixture(scope="session")
def viewer(distributions: Distributions, once: Once) -> Path:
    """A machine that only looks at runs: nothing but the package and what it needs."""
    return once("viewer", lambda folder: installed(folder, str(distributions["wheel"])))


@pytest.fixture(scope="session")
def trainer(once: Once) -> Path:
    return machines.trainer(once)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    write_run(tmp_path / "logs" / "run-1")
    return tmp_path


def test_a_viewer_has_no_framework(viewer: Path, tmp_path: Path) -> None:
    for name in ("tensorflow", "keras"):
        done = run(["python", "-c", f"import {name}"], viewer, tmp_path)
        assert "ModuleNotFoundError" in done.stderr
    assert shutil.which("node", path=environment(viewer)["PATH"]) is None


def test_tensorboard_serves_the_tab(viewer: Path, logs: Path) -> None:
    command = ["tensorboard", "--logdir", "logs"]
    assert " ".join(command) in COMMANDS
    with speaking([*command, "--port", "0"], viewer, logs, r"at (http://\S+/)") as (_, found):
        address = found[1]
        plugins = json.loads(fetch(address + "data/plugins_listing"))
        served = fetch(address + "data/plugin/layer_health/index.js")
        runs = json.loads(fetch(address + "data/plugin/layer_health/runs"))
    assert plugins["layer_health"]["tab_name"] == "Layer Health"
    assert served == (ROOT / "tb_activations/static/index.js").read_bytes()
    assert "runs" in runs


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [
        ("tb-activations diff logs/run-1 logs/run-1", 0, "Equal at "),
        ("tb-activations report logs", 0, "PROBLEM dense_2"),
        ("tb-activations report logs --format html --output report.html", 0, ""),
        ("tb-activations check logs --fail-on problem", 1, "run-1: 1 cause"),
    ],
)
def test_the_command_line_is_there(viewer: Path, logs: Path, command: str, status: int, says: str) -> None:
    assert command in COMMANDS
    done = run(command.split(), viewer, logs)
    assert (done.returncode, done.stderr) == (status, "")
    assert says in done.stdout
    if "--output" in command:
        assert "<title>Layer health of run-1</title>" in (logs / "report.html").read_text("utf-8")


def test_a_demo_without_its_extra_says_what_to_install(viewer: Path, tmp_path: Path) -> None:
    done = run(["tb-activations", "demo"], viewer, tmp_path)
    assert done.returncode == 2
    assert "pip install 'tb-activations[demo]'" in done.stderr


@pytest.mark.parametrize("extra", ["tensorflow", "demo"])
def test_the_extras_are_what_training_needs(
    extra: str, distributions: Distributions, trainer: Path, tmp_path: Path
) -> None:
    assert f'pip install "tb-activations[{extra}]"' in COMMANDS
    requirement = f"{distributions['wheel']}[{extra}]"
    shared = site.getsitepackages()[0]
    folder = trainer if extra == "demo" else installed(tmp_path / "venv", requirement, shared=shared)
    program = "import tb_activations as t; print(t.__file__)"
    if extra == "tensorflow":
        # With the other extra, the demo trains.
        program += "; print(t.LayerHealth.__name__)"
    told = run(["python", "-c", program], folder, tmp_path)
    assert told.stdout, told.stderr
    path, *names = told.stdout.split()
    assert Path(path).is_relative_to(folder)
    assert names == (["LayerHealth"] if extra == "tensorflow" else [])


def test_the_demo_trains_and_prints_an_address_that_answers(trainer: Path, once: Once, tmp_path: Path) -> None:
    assert "tb-activations demo" in COMMANDS
    # `tests/browser` looks at these runs as well, so the commands may only read them.
    demo = machines.demo(once)
    assert demo.status == 0
    assert demo.plugins["layer_health"]["tab_name"] == "Layer Health"
    assert set(demo.runs) == {path.name for path in demo.logs.iterdir()} == {"healthy", "relu_dies", "deep_sigmoid"}
    # A shell reads these as any continuous integration would.
    assert run(["tb-activations", "check", "logs/healthy"], trainer, demo.logs.parent).returncode == 0
    for sick, told in (("relu_dies", "problem, dead_units: "), ("deep_sigmoid", "problem, vanishing_gradient: ")):
        done = run(["tb-activations", "check", f"logs/{sick}", "--fail-on", "problem"], trainer, demo.logs.parent)
        assert done.returncode == 1
        assert told in done.stdout
    (tmp_path / "empty").mkdir()
    done = run(["tb-activations", "check", "empty"], trainer, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Cannot judge: no Layer Health run in empty or below it")
    done = run(["tb-activations", "report", "logs"], trainer, demo.logs.parent)
    assert done.returncode == 0
    assert "No problems found in 6 layers" in done.stdout
