"""TensorBoard imports the package at start-up of every user: that must stay light and must not fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("tensorflow", "keras", "numpy")


def loaded_by(statement: str, candidates: tuple[str, ...] = HEAVY) -> set[str]:
    """Which of `candidates` a fresh interpreter holds after running `statement`."""
    code = f"{statement}\nimport sys\nprint(*[name for name in {candidates!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["tb_activations", "tb_activations.plugin.loader"])
def test_start_up_is_light(module: str) -> None:
    assert loaded_by(f"import {module}") == set()


@pytest.mark.parametrize(
    "statement",
    [
        "import tb_activations.plugin.plugin",
        "import tb_activations.cli.main",
        "import tb_activations.testing",
        "import tb_activations.cli.demo",
        "from tb_activations import load",
        "from tb_activations.health import diagnosis, verdict",
    ],
)
def test_viewing_needs_no_framework(statement: str) -> None:
    assert loaded_by(statement, ("tensorflow", "keras")) == set()


def test_the_guard_can_fail() -> None:
    assert loaded_by("import numpy") == {"numpy"}


def test_public_names_load_on_first_use() -> None:
    code = "import tb_activations as t\nprint(t.load.__module__)\nprint(*dir(t))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    home, names = done.stdout.splitlines()
    assert home == "tb_activations.events.reader"
    assert {"LayerHealth", "capture", "load", "__version__"} <= set(names.split())


def test_capture_is_the_function_even_after_its_package_was_imported() -> None:
    code = (
        "import tb_activations.callback\nfrom tb_activations import capture\nprint(capture.__name__, callable(capture))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["capture", "True"]


def test_an_unknown_public_name_is_an_error_that_lists_the_known_ones() -> None:
    import tb_activations

    with pytest.raises(AttributeError, match=r"LayerHealthy.*LayerHealth"):
        _ = tb_activations.LayerHealthy
