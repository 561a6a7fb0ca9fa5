"""The arrows between the packages, and how long a file may be; read from the source, so that late imports count too."""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "tb_activations"
LONGEST_FILE = 400
LONGEST_MEDIAN = 130

INNER = {
    "records": set(),
    "taps": {"records"},
    "health": {"records"},
    "events": {"records"},
    "pictures": {"records"},
    "comparison": {"events", "records"},
    "probe": {"records", "taps"},
    "snapshots": {"pictures", "probe", "records", "taps"},
    "recording": {"events", "health", "pictures", "records", "taps"},
    "golden": {"comparison", "events", "health", "records", "report"},
    "reading": {"events", "health", "records", "report"},
    "report": {"comparison", "events", "health", "pictures", "records"},
    "plugin": {"events", "health", "pictures", "records", "report"},
    # The doors a user opens.
    "callback": {"health", "pictures", "recording", "records", "snapshots", "taps"},
    "recorder": {"health", "pictures", "recording", "records", "snapshots", "taps"},
    "testing": {"comparison", "events"},
    "pytest_plugin": {"callback", "comparison", "golden"},
    # Each is imported by name when it is used, with the library that it needs.
    "integrations": {"callback", "events", "health", "records"},
    # A subcommand is loaded by name when it is called; the demo trains, and joins what a user joins when it runs.
    "cli": {"callback", "comparison", "events", "health", "records", "report", "testing"},
    "cli.main": set(),
    "__main__": {"cli"},
    # The public names, by home; loaded on first use.
    "": {
        "callback",
        "events",
        "integrations",
        "probe",
        "reading",
        "recorder",
        "recording",
        "records",
        "taps",
        "testing",
    },
}
"""Which other parts of the package a part may import; a name with a dot stands for one module."""

TENSORBOARD = {"tensorboard", "google"}
TENSORFLOW = {"tensorflow", "keras"}
OUTER = {
    "records": {"numpy"},
    "taps": {"numpy", *TENSORFLOW},
    "health": {"numpy"},
    "events": {"numpy", "google_crc32c", *TENSORBOARD},
    "pictures": {"numpy", "PIL"},
    "comparison": {"numpy", "PIL"},
    "probe": {"numpy", *TENSORFLOW},
    "snapshots": {"numpy", *TENSORFLOW},
    "recording": {"numpy", *TENSORFLOW, *TENSORBOARD},
    "report": {"numpy", "rich", "jinja2", "markupsafe"},
    "golden": {"numpy", *TENSORBOARD},
    "reading": {"numpy", "pandas"},
    "plugin": {"numpy", "werkzeug", "grpc", *TENSORBOARD},
    "pytest_plugin": {"pytest"},
    "callback": TENSORFLOW,
    "recorder": TENSORFLOW,
    "integrations": set(),
    "cli": {"rich"},
    "cli.demo": {"keras", "sklearn"},
}
"""Which other packages it may import, in addition to the standard library."""

DOORS = {"__init__.py", "__main__.py", "callback.py", "pytest_plugin.py", "recorder.py", "testing.py"}


def imports(source: str, module: str) -> Iterator[tuple[str, int]]:
    """Every module that `source` imports anywhere, with its depth (0 at module level); relative ones made absolute."""

    def walk(node: ast.AST, depth: int) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, depth) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = module.split(".")[: -child.level] if child.level else []
                name = ".".join([*base, *([child.module] if child.module else [])])
                yield from ((f"{name}.{alias.name}", depth) for alias in child.names)
            else:
                is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from walk(child, depth + is_function)

    return walk(ast.parse(source), 0)


def part_of(module: str, parts: dict[str, set[str]]) -> str:
    """The entry of `parts` that `module` (without the package's name) belongs to."""
    return module if module in parts else module.split(".")[0]


def trespasses(source: str, module: str) -> list[str]:
    """What `module` (full name) imports against the arrows."""
    own = module.removeprefix(PACKAGE).removeprefix(".").removesuffix("__init__").removesuffix(".")
    found = []
    for name, _ in imports(source, module):
        top, _, rest = name.partition(".")
        if top == PACKAGE:
            target, part = rest.split(".")[0], part_of(own, INNER)
            is_own = target == own.split(".")[0] and "." not in part
            is_bad = not is_own and target not in INNER[part] and not (target.startswith("__") and target != "__main__")
        else:
            is_bad = top not in OUTER.get(part_of(own, OUTER), set()) and top not in sys.stdlib_module_names
        if is_bad:
            found.append(name)
    return found


def modules() -> list[Path]:
    return sorted((ROOT / PACKAGE).rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def line_counts(*tops: str) -> dict[str, int]:
    files = [path for top in tops for end in ("*.py", "*.ts", "*.tsx") for path in (ROOT / top).rglob(end)]
    return {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in files}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_arrows_point_one_way(path: Path) -> None:
    assert trespasses(path.read_text("utf-8"), name_of(path)) == []


def test_the_arrows_make_no_ring() -> None:
    left = {part: targets & INNER.keys() for part, targets in INNER.items()}
    while free := [part for part, targets in left.items() if not targets & left.keys()]:
        for part in free:
            del left[part]
    assert left == {}


def test_only_doors_lie_at_the_top() -> None:
    assert {path.name for path in (ROOT / PACKAGE).glob("*.py")} == DOORS


def test_the_demo_imports_late() -> None:
    source = (ROOT / PACKAGE / "cli/demo.py").read_text("utf-8")
    early = {name.split(".")[0] for name, depth in imports(source, f"{PACKAGE}.cli.demo") if depth == 0}
    assert not early & {*TENSORFLOW, "sklearn", PACKAGE}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("tb_activations.records.specs", "import tensorflow"),
        ("tb_activations.records.specs", "from tb_activations.health import graph"),
        ("tb_activations.health.history", "import tensorflow"),
        ("tb_activations.health.history", "def f():\n    from keras import layers"),
        ("tb_activations.health.history", "from tb_activations.events import schema"),
        ("tb_activations.health.rules.base", "from ...events import schema"),
        ("tb_activations.health.history", "from .. import events"),
        ("tb_activations.events.reader", "from tb_activations.recording.folder.writer import RunWriter"),
        ("tb_activations.events.reader", "import tensorflow as tf"),
        ("tb_activations.plugin.plugin", "from tb_activations import callback"),
        ("tb_activations.taps.taps", "from tb_activations.health import graph"),
        ("tb_activations.cli.main", "import tb_activations.callback"),
        ("tb_activations.cli.main", "from tb_activations.cli import report"),
        ("tb_activations.cli.report", "import keras"),
    ],
)
def test_the_guard_can_fail(module: str, source: str) -> None:
    assert trespasses(source, module) != []


def test_no_file_is_long() -> None:
    counts = line_counts(PACKAGE, "tests", "benchmarks", "frontend/src")
    assert {name: count for name, count in counts.items() if count > LONGEST_FILE} == {}


def test_the_median_file_is_short() -> None:
    counts = line_counts(PACKAGE, "frontend/src")
    assert statistics.median(counts.values()) <= LONGEST_MEDIAN
