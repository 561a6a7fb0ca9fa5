"""TensorBoard imports the package at start-up of every user: that must stay light and must not fail."""

from __future__ import annotations

import importlib
import subprocess
import sys
import types
from pathlib import Path

import pytest

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
        "from tb_activations import load",
        "from tb_activations.health import diagnosis, verdict",
    )
    assert loaded_by(*statements, candidates=("tensorflow", "keras")) == {one: set() for one in statements}


def test_the_guard_can_fail() -> None:
    assert loaded_by("import json", "import numpy") == {"import json": set(), "import numpy": {"numpy"}}


def test_public_names_load_on_first_use() -> None:
    code = "import tb_activations as t\nprint(t.load.__module__)\nprint(*dir(t))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    home, names = done.stdout.splitlines()
    assert home == "tb_activations.events.reader"
    assert {"LayerHealth", "capture", "load", "__version__"} <= set(names.split())


def test_capture_is_the_function_even_after_its_package_was_imported() -> None:
    importlib.import_module("tb_activations.callback")
    from tb_activations import capture

    assert isinstance(capture, types.FunctionType)
    assert capture.__name__ == "capture"


def test_an_unknown_public_name_is_an_error_that_lists_the_known_ones() -> None:
    import tb_activations

    with pytest.raises(AttributeError, match=r"LayerHealthy.*LayerHealth"):
        _ = tb_activations.LayerHealthy
