"""The sets of releases that cover what setup.py admits, and their tests."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import re
from collections.abc import Iterator

from packaging.requirements import Requirement

PACKAGE = "tb-activations"
VIEWING = ("tests/events", "tests/cli", "tests/report", "tests/golden", "tests/http/test_growing_run.py")
"""Tests of a viewing machine: read runs, report on them, serve them."""

SERVING = ("tests/http/test_routes.py",)
TRAINING = ("tests/training/test_identity.py", "tests/faults/test_model.py")
CALLBACK = ("tests/training/test_on_problem.py",)
"""Few, since `make test` runs all tests on the newest frameworks."""

FRAMEWORK_USE = (
    "tests/training/test_callback.py",
    "tests/training/test_recorder.py",
    "tests/taps/test_recomputation.py",
    "tests/probe/test_layer_outputs.py",
    "tests/snapshots/test_looks.py",
)
"""All tests that depend on details of the frameworks, for their oldest releases."""

FRAMEWORKS = ("tensorflow", "keras", "tensorboard")


@dataclasses.dataclass(frozen=True)
class Set:
    """Releases installed together on one version of Python, and the tests they must pass."""

    title: str
    python: str
    requirements: tuple[str, ...]
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.title}, Python {self.python}"


def all_sets() -> list[Set]:
    """The oldest releases on the oldest declared Python, the newest ones on all others.

    `make test` covers the newest releases on the oldest Python.
    """
    pythons = declared_pythons()
    training, viewing = (*TRAINING, *VIEWING), (*VIEWING, *SERVING)
    return [
        Set("oldest", pythons[0], oldest("demo"), (*FRAMEWORK_USE, *training)),
        Set("oldest, viewing only", pythons[0], oldest(), viewing),
        *(Set("newest", python, newest("demo"), (*CALLBACK, *training)) for python in pythons[1:]),
        Set("newest, viewing only", pythons[-1], newest(), viewing),
    ]


def declared_pythons() -> list[str]:
    """The versions of Python in the classifiers, oldest first."""
    classifiers = importlib.metadata.metadata(PACKAGE).get_all("Classifier") or []
    found = [match[1] for entry in classifiers if (match := re.fullmatch(r".*Python :: (3\.\d+)", entry))]
    return sorted(found, key=lambda version: int(version.split(".")[1]))


def requirements(extra: str = "") -> Iterator[Requirement]:
    """The requirements of the package with this extra."""
    for text in importlib.metadata.requires(PACKAGE) or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def oldest(extra: str = "") -> tuple[str, ...]:
    """Each requirement at its lower bound: frameworks at exactly that release, others with later bug fixes."""
    return tuple(f"{entry.name}=={_lower_bound(entry)}" for entry in requirements(extra))


def newest(extra: str = "") -> tuple[str, ...]:
    """Each requirement as declared: the newest releases that work together."""
    return tuple(f"{entry.name}{entry.specifier}" for entry in requirements(extra))


def _lower_bound(requirement: Requirement) -> str:
    (bound,) = requirement.specifier
    return bound.version if requirement.name in FRAMEWORKS else f"{bound.version}.*"
