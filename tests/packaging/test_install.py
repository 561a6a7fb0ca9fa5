"""What a user gets: wheel and sdist in clean environments without Node and TensorFlow; the README's commands."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shutil
import site
import subprocess
import sys
import threading
import urllib.request
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import pytest

from tests.conftest import Once
from tests.packaging.readme import COMMANDS
from tests.synthetic import write_run

ROOT = Path(__file__).parents[2]
DEADLINE = 120.0
"""Seconds; reached only when something is broken."""


def environment(folder: Path) -> dict[str, str]:
    """Variables for a virtual environment that sees no program but its own: no Node, no other Python."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return {**kept, "PATH": str(folder / "bin")}


def run(command: list[str], folder: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = str(folder / "bin" / command[0])
    return subprocess.run([program, *command[1:]], cwd=cwd, env=environment(folder), capture_output=True, text=True)


def installed(folder: Path, requirement: str, *, shared: str = "") -> Path:
    """A new virtual environment with `requirement`; `shared` is a folder of packages it may use as well."""
    venv.create(folder, with_pip=False)
    if shared:
        packages = folder / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
        (packages / "shared.pth").write_text(shared + "\n")
    # The pip of this environment installs into the new one, which then needs none of its own.
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    # Most of what is installed is never imported here, so it is not worth compiling.
    install = ["install", "--quiet", "--no-compile", requirement]
    done = subprocess.run([*pip, *install], env=environment(folder), capture_output=True)
    assert done.returncode == 0, done.stderr
    return folder


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
def distributions(once: Once) -> Mapping[str, Path]:
    """A wheel built from an sdist, without Node, and that from the files under version control alone."""
    built = once("distributions", build) / "dist"
    return {"wheel": next(built.glob("*.whl")), "sdist": next(built.glob("*.tar.gz"))}


def build(folder: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "source" / name)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(folder / "dist"), str(folder / "source")],
        env={**environment(Path(sys.prefix)), "PIP_NO_COMPILE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def viewer(distributions: Mapping[str, Path], once: Once) -> Path:
    """A machine that only looks at runs: nothing but the package and what it needs."""
    return once("viewer", lambda folder: installed(folder, str(distributions["wheel"])))


@pytest.fixture(scope="session")
def trainer(distributions: Mapping[str, Path], once: Once) -> Path:
    """A machine for the demo. TensorFlow itself is taken from this environment, where the same versions stand."""
    requirement = f"{distributions['wheel']}[demo]"
    return once("trainer", lambda folder: installed(folder, requirement, shared=site.getsitepackages()[0]))


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
    extra: str, distributions: Mapping[str, Path], trainer: Path, tmp_path: Path
) -> None:
    assert f'pip install "tb-activations[{extra}]"' in COMMANDS
    requirement = f"{distributions['wheel']}[{extra}]"
    shared = site.getsitepackages()[0]
    folder = trainer if extra == "demo" else installed(tmp_path / "venv", requirement, shared=shared)
    where = run(
        ["python", "-c", "import tb_activations as t; print(t.LayerHealth.__name__, t.__file__)"], folder, tmp_path
    )
    assert where.stdout, where.stderr
    name, path = where.stdout.split()
    assert name == "LayerHealth"
    assert Path(path).is_relative_to(folder)


def test_the_demo_trains_and_prints_an_address_that_answers(trainer: Path, tmp_path: Path) -> None:
    assert "tb-activations demo" in COMMANDS
    folder = trainer
    command = ["tb-activations", "demo", "--logdir", "logs"]
    with speaking(command, folder, tmp_path, r"Layer Health: (http://\S+/)#layer_health") as (process, found):
        plugins = json.loads(fetch(found[1] + "data/plugins_listing"))
        process.terminate()
        assert process.wait(timeout=DEADLINE) == 0
    assert plugins["layer_health"]["tab_name"] == "Layer Health"
    assert {path.name for path in (tmp_path / "logs").iterdir()} == {"healthy", "relu_dies", "deep_sigmoid"}
    # A shell reads these as any continuous integration would.
    assert run(["tb-activations", "check", "logs/healthy"], folder, tmp_path).returncode == 0
    for sick, told in (("relu_dies", "problem, dead_units: "), ("deep_sigmoid", "problem, vanishing_gradient: ")):
        done = run(["tb-activations", "check", f"logs/{sick}", "--fail-on", "problem"], folder, tmp_path)
        assert done.returncode == 1
        assert told in done.stdout
    (tmp_path / "empty").mkdir()
    done = run(["tb-activations", "check", "empty"], folder, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Cannot judge: no Layer Health run in empty or below it")
    done = run(["tb-activations", "report", "logs"], folder, tmp_path)
    assert done.returncode == 0
    assert "No problems found in 6 layers" in done.stdout
