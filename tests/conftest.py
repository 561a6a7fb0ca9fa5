"""Settings that hold for every test."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.unoptimized import unoptimized

# TensorFlow's start-up messages would bury what a failing test prints.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Tests run side by side, a process a core: threads beyond that only take the cores from each other. The libraries read
# this when they are first imported, and programs that tests start inherit it.
for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

# How long an example takes depends on what else the machine does, so it proves nothing.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="also run what repeats a test for further kinds")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests marked `thorough` unless they are asked for."""
    if config.getoption("--thorough"):
        return
    left_out = [item for item in items if item.get_closest_marker("thorough")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("thorough")]


def pytest_collection_finish() -> None:
    """Keeps what the imported libraries hold out of every garbage collection to come: most of what there is.

    Tracing a step makes so many objects that Python would look for garbage hundreds of times: a twelfth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture(scope="module", autouse=True)
def _a_small_heap() -> Iterator[None]:
    """Freezes what a module's trainings leave, or TensorFlow's graphs would slow every collection and look down."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def unoptimized_graphs() -> Iterator[None]:
    """For a module whose tests train, but are not about how TensorFlow runs a step."""
    with unoptimized():
        yield


Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Makes a folder for all processes of a test run together: `once("logs", write)`. Nobody may change it later.

    The first process that needs the folder calls `write` with its path; the others wait for it.
    """
    own = tmp_path_factory.getbasetemp()
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def make(name: str, write: Callable[[Path], object]) -> Path:
        folder, done = common / f"once-{name}", common / f"once-{name}.done"
        with (common / f"once-{name}.lock").open("w") as lock:
            # Ends with the process, whatever happens to it.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                write(folder)
                done.touch()
        return folder

    return make
