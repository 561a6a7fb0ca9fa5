"""TensorBoard imports the package at start-up of every user: that must stay light and must not fail."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import types
from pathlib import Path

import pytest

import tb_activations

ROOT = Path(__file__).parents[2]
HEAVY = ("tensorflow", "keras", "numpy")


def loaded_by(*statements: str, candidates: tuple[str, ...] = HEAVY) -> dict[str, set[str]]:
    """Which of `candidates` a fresh interpreter holds after each of these statements, one after another."""
    report = f"print(*[name for name in {candidates!r} if name in sys.modules])"
    code = "\n".join(["import sys", *(f"{statement}\n{report}" for statement in statements)])
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return {one: set(line.split()) for one, line in zip(statements, done.stdout.split("\n"), strict=False)}


def test_start_up_is_light() -> None:
    statements = ("import tb_activations", "import tb_activations.plugin.loader")
    assert loaded_by(*statements) == {one: set() for one in statements}


def test_viewing_needs_no_framework() -> None:
    statements = (
        "import tb_activations.plugin.plugin",
        "import tb_activations.cli.main",
        "import tb_activations.testing",
        "import tb_activations.cli.demo",
        "from tb_activations import Finding, LayerHealthError, Run, Severity, load, runs, testing",
        "from tb_activations.health import diagnosis, verdict",
    )
    assert loaded_by(*statements, candidates=("tensorflow", "keras")) == {one: set() for one in statements}


def test_the_guard_can_fail() -> None:
    assert loaded_by("import json", "import numpy") == {"import json": set(), "import numpy": {"numpy"}}


def test_public_names_load_on_first_use() -> None:
    code = "import tb_activations as t\nprint(t.load.__module__)\nprint(*dir(t))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    home, names = done.stdout.splitlines()
    assert home == "tb_activations.reading.load"
    assert set(tb_activations.__all__) <= set(names.split())


def typed_names() -> set[str]:
    """The names that `tb_activations/__init__.py` imports for type checkers only."""
    tree = ast.parse((ROOT / "tb_activations/__init__.py").read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    return {
        alias.asname or alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }


def test_public_names_are_the_same_everywhere() -> None:
    public = [name for name in tb_activations.__all__ if name != "__version__"]
    assert public == sorted(public)
    assert set(public) == set(tb_activations._HOMES) == typed_names()
    assert set(public) <= set(dir(tb_activations))
    assert {name for name in public if f"`{name}" not in (tb_activations.__doc__ or "")} == set()


def test_public_names_are_what_their_modules_define() -> None:
    for name, home in tb_activations._HOMES.items():
        value = getattr(tb_activations, name)
        expected = f"tb_activations.{home or name}"
        assert (value.__module__ if home else value.__name__) == expected


WITHOUT_TENSORFLOW = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import tb_activations

for name in tb_activations.__all__:
    try:
        getattr(tb_activations, name)
    except ImportError as error:
        print(f"{name}: {error}")
"""


def test_without_tensorflow_names_that_need_it_tell_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TENSORFLOW], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == ""
    told = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert sorted(told) == ["LayerHealth", "Recorder", "capture", "probe"]
    for name, message in told.items():
        assert message.startswith(f"tb_activations.{name} needs TensorFlow and Keras, but ")
        assert 'pip install "tb-activations[tensorflow]"' in message


def test_capture_is_the_function_even_after_its_package_was_imported() -> None:
    importlib.import_module("tb_activations.callback")
    from tb_activations import capture

    assert isinstance(capture, types.FunctionType)
    assert capture.__name__ == "capture"


def test_an_unknown_public_name_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(AttributeError, match=r"LayerHealthy.*LayerHealth"):
        _ = tb_activations.LayerHealthy
