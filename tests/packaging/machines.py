"""Virtual environments as machines of users: the wheel installed without Node, and its demo."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import site
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.browser.demo_server import running_demo
from tests.conftest import Once
from tests.live_server import ROOT

Distributions = Mapping[str, Path]


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


def distributions(once: Once) -> Distributions:
    """A wheel built from an sdist, without Node, and that from the files under version control alone."""
    built = once("distributions", _build) / "dist"
    return {"wheel": next(built.glob("*.whl")), "sdist": next(built.glob("*.tar.gz"))}


def trainer(once: Once) -> Path:
    """A machine for the demo. TensorFlow itself is taken from this environment, where the same versions stand."""
    requirement = f"{distributions(once)['wheel']}[demo]"
    return once("trainer", lambda folder: installed(folder, requirement, shared=site.getsitepackages()[0]))


@dataclasses.dataclass(frozen=True)
class Demo:
    """What `tb-activations demo` did. Many tests read its runs, so nobody may change them.

    Attributes:
        logs: folder of its runs.
        runs: their names, as its server listed them.
        plugins: what its server told about TensorBoard's plugins.
        status: with which it ended.
    """

    logs: Path
    runs: list[str]
    plugins: dict[str, Any]
    status: int


def demo(once: Once) -> Demo:
    """Trains and serves, as installed by a new user, and ends."""
    machine = trainer(once)

    def train(folder: Path) -> None:
        program = [str(machine / "bin" / "tb-activations")]
        with running_demo(folder, program, environment(machine)) as server:
            runs = [run["name"] for run in server.get("runs").json["runs"]]
            plugins = server.request(server.url + "data/plugins_listing").json
        heard = {"runs": runs, "plugins": plugins, "status": server.process.returncode}
        (folder / "heard.json").write_text(json.dumps(heard))

    folder = once("demo", train)
    return Demo(folder / "logs", **json.loads((folder / "heard.json").read_text()))


def _build(folder: Path) -> None:
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
