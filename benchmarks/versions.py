"""Proves the releases that setup.py admits: each set in a fresh environment, with the tests that touch them most.

`python -m benchmarks.versions [PYTHON ...]`, such as `3.12`: the oldest set on the oldest of the Pythons that the
classifiers declare, the newest set on all of them that are found on this machine. The exit status is 1 if any failed.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PACKAGE = "tb-activations"
TESTS = (
    "tests/training/test_callback.py",
    "tests/training/test_identity.py",
    "tests/unit/events",
    "tests/golden",
    "tests/http/test_growing_run.py",
    "tests/faults/test_model.py",
)
TOOLS = ("pytest>=9", "hypothesis")
FRAMEWORKS = ("tensorflow", "keras", "tensorboard")
SHOWN = (*FRAMEWORKS, "numpy", "protobuf", "pillow", "rich", "jinja2")


def main() -> None:
    wanted = sys.argv[1:] or declared_pythons()
    failed = []
    for version in wanted:
        python = interpreter(version)
        if python is None:
            print(f"Python {version}: not on this machine, not tried", flush=True)
            continue
        sets = {"newest": newest()} | ({"oldest": oldest()} if version == declared_pythons()[0] else {})
        for name, requirements in sets.items():
            is_good = prove(python, requirements, f"Python {version}, {name}")
            failed += [] if is_good else [f"Python {version}, {name}"]
    sys.exit(f"failed: {'; '.join(failed)}" if failed else 0)


def declared_pythons() -> list[str]:
    """The versions of Python in the classifiers, oldest first."""
    classifiers = importlib.metadata.metadata(PACKAGE).get_all("Classifier") or []
    found = [match[1] for entry in classifiers if (match := re.fullmatch(r".*Python :: (3\.\d+)", entry))]
    return sorted(found, key=lambda version: int(version.split(".")[1]))


def requirements() -> Iterator[Requirement]:
    """What training and the demo need."""
    for text in importlib.metadata.requires(PACKAGE) or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": "demo"}):
            yield requirement


def oldest() -> list[str]:
    """Each requirement at the release its lower bound names; what is no framework with the fixes it got since."""
    bounds = [(entry.name, str(part.version)) for entry in requirements() for part in entry.specifier]
    return [f"{name}=={version}" + ("" if name in FRAMEWORKS else ".*") for name, version in bounds]


def newest() -> list[str]:
    """Each requirement as it stands: the newest releases that go together."""
    return [f"{entry.name}{entry.specifier}" for entry in requirements()]


def interpreter(version: str) -> str | None:
    """Path of this version of Python: on the path, or among those of pyenv."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = sorted(pyenv.glob(f"{version}.*/bin/{name}")) if pyenv.is_dir() else []
    return str(found[-1]) if found else shutil.which(name)


def prove(python: str, wanted: Sequence[str], title: str) -> bool:
    """Installs the set and runs the tests; whether they passed."""
    with tempfile.TemporaryDirectory() as folder:
        own = str(Path(folder, "bin", "python"))
        steps = [
            [python, "-m", "venv", folder],
            [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted, *TOOLS],
            [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", str(ROOT)],
        ]
        for command in steps:
            if subprocess.run(command, cwd=folder, check=False).returncode:
                print(f"{title}: not installable: {' '.join(wanted)}", flush=True)
                return False
        listed = subprocess.run([own, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
        versions = [line for line in listed.splitlines() if line.split("==")[0].lower() in SHOWN]
        print(f"{title}: {', '.join(versions)}", flush=True)
        # Older frameworks warn about themselves when they are imported.
        tests = [own, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", "-o", "filterwarnings=default", *TESTS]
        is_good = subprocess.run(tests, cwd=ROOT, check=False).returncode == 0
        print(f"{title}: {'passed' if is_good else 'FAILED'}", flush=True)
        return is_good


if __name__ == "__main__":
    main()
