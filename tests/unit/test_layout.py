"""The arrows between the packages, and how long a file may be; read from the source, so that late imports count too."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "tb_activations"
LONGEST_FILE = 400

INNER = {
    "health": {"health"},
    "events": {"events", "health"},
    "events.writer": {"events", "health"},
    "events.stored": {"events"},
    "capture": {"capture"},
    "probe": {"capture", "probe"},
    "plugin": {"events", "health", "plugin"},
    "diff": {"events", "health", "testing"},
    "testing": {"events", "health"},
    "report": {"events", "health", "report"},
    # The command line loads a subcommand by name when it is called; none of them may be imported with it.
    "cli": set(),
    "__main__": {"cli"},
    "bounded": set(),
    "continuation": {"events"},
    "progress": {"continuation", "events"},
    "judging": {"bounded", "health"},
    "run_folders": {"events"},
    "run_output": {"bounded", "events", "health", "run_folders"},
    "tables": {"capture", "health"},
    "recording": {
        "capture",
        "continuation",
        "events",
        "health",
        "judging",
        "progress",
        "run_folders",
        "run_output",
        "tables",
    },
    "watching": {"capture", "events", "health", "probe", "watching"},
    "announce": {"health"},
    "observer": {"announce", "capture", "continuation", "health", "events", "recording", "run_output"},
    "session": {"capture", "continuation", "observer"},
    "callback": {
        "continuation",
        "announce",
        "capture",
        "health",
        "recording",
        "run_output",
        "session",
        "tables",
        "observer",
        "watching",
        "events",
    },
    "recorder": {
        "announce",
        "capture",
        "continuation",
        "health",
        "events",
        "recording",
        "run_output",
        "tables",
        "observer",
    },
    # The demo trains, so it joins everything a user joins: late, inside its functions (`test_the_demo_imports_late`).
    "demo": {"callback", "events", "health"},
    # The public names, by home; loaded on first use.
    "": {"callback", "recorder", "capture", "events"},
}
"""Which parts of the package a part may import; a name with a dot stands for one module."""

TENSORBOARD = {"tensorboard", "google"}
OUTER = {
    "health": {"numpy"},
    "events": {"numpy", "PIL", *TENSORBOARD},
    "events.writer": {"numpy", "tensorflow", *TENSORBOARD},
    "events.stored": {"tensorflow", *TENSORBOARD},
    "capture": {"numpy", "tensorflow", "keras"},
    "probe": {"numpy", "tensorflow", "keras"},
    "plugin": {"numpy", "werkzeug", "grpc", *TENSORBOARD},
    "testing": {"numpy"},
    "diff": {"rich"},
    "report": {"numpy", "rich", "jinja2", "markupsafe"},
    "recording": {"numpy", *TENSORBOARD},
    "tables": {"numpy"},
    "continuation": {"numpy"},
    "progress": {"numpy"},
    "judging": {"numpy"},
    "watching": {"numpy", "tensorflow", "keras"},
    "run_output": TENSORBOARD,
    "callback": {"keras"},
    "session": {"numpy", "keras"},
    "observer": {"numpy"},
    "recorder": {"tensorflow", "keras"},
    "demo": {"keras", "sklearn"},
}
"""Which other packages it may import, beside the standard library."""

FRAMEWORKS = {"tensorflow", "keras"}
WITH_TENSORFLOW = {"run_output", "run_folders", "callback", "recorder", "events.writer", "events.stored"}


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
            target, allowed = rest.split(".")[0], INNER[part_of(own, INNER)]
            is_bad = target not in allowed and not (target.startswith("__") and target != "__main__")
            if rest.startswith(("events.writer", "events.stored")):
                # Whoever imports these imports TensorFlow.
                with_tensorflow = {
                    "run_output",
                    "run_folders",
                    "callback",
                    "recorder",
                    "events.writer",
                    "events.stored",
                }
                is_bad = part_of(own, INNER) not in with_tensorflow
        else:
            is_bad = top not in OUTER.get(part_of(own, OUTER), set()) and not is_standard(top)
        if is_bad:
            found.append(name)
    return found


def is_standard(name: str) -> bool:
    return name in sys.stdlib_module_names


def modules() -> list[Path]:
    return sorted((ROOT / PACKAGE).rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_arrows_point_one_way(path: Path) -> None:
    assert trespasses(path.read_text("utf-8"), name_of(path)) == []


def test_the_demo_imports_late() -> None:
    source = (ROOT / PACKAGE / "demo.py").read_text("utf-8")
    early = {name.split(".")[0] for name, depth in imports(source, f"{PACKAGE}.demo") if depth == 0}
    assert not early & {*FRAMEWORKS, "sklearn", PACKAGE}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("tb_activations.health.units", "import tensorflow"),
        ("tb_activations.health.units", "def f():\n    from keras import layers"),
        ("tb_activations.health.units", "from tb_activations.events import schema"),
        ("tb_activations.health.rules.base", "from ...events import schema"),
        ("tb_activations.health.units", "from .. import events"),
        ("tb_activations.events.reader", "from tb_activations.events.writer import RunWriter"),
        ("tb_activations.events.reader", "import tensorflow as tf"),
        ("tb_activations.plugin.plugin", "from tb_activations import callback"),
        ("tb_activations.capture.taps", "from tb_activations.health import records"),
        ("tb_activations.cli", "import tb_activations.callback"),
    ],
)
def test_the_guard_can_fail(module: str, source: str) -> None:
    assert trespasses(source, module) != []


@pytest.mark.parametrize("top", ["tb_activations", "tests", "benchmarks", "frontend/src"])
def test_no_file_is_long(top: str) -> None:
    files = [path for end in ("*.py", "*.ts", "*.tsx") for path in (ROOT / top).rglob(end)]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}
