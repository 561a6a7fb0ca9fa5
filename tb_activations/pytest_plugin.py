"""The pytest plugin: the fixture `layer_health_golden`.

pytest imports this module at the start of every session, so it imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from tb_activations.callback import LayerHealth
    from tb_activations.comparison.tolerance import Tolerances
    from tb_activations.golden.check import Golden

FOLDER = "layer_health"
"""Folder of the goldens, next to the test file."""
_PROPERTY = "layer_health"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options of the plugin."""
    group = parser.getgroup("layer health")
    group.addoption(
        "--update-layer-health",
        action="store_true",
        help="write the goldens of `layer_health_golden` instead of comparing with them",
    )
    group.addoption(
        "--layer-health-pages",
        metavar="DIR",
        default="layer-health-failures",
        help="where to write an HTML page for each run that differs from its golden (default: %(default)s)",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Lists the goldens that were written."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    properties = [one for report in reports for one in getattr(report, "user_properties", ())]
    written = dict.fromkeys(value for name, value in properties if name == _PROPERTY)
    if written:
        terminalreporter.section("layer health")
        for path in written:
            terminalreporter.write_line(f"written: {path}")


class LayerHealthGolden:
    """Compares the training of a test with the golden that is stored next to the test file.

    ```python
    def test_training(layer_health_golden):
        with layer_health_golden() as callback:
            model.fit(x, y, callbacks=[callback])
    ```
    """

    def __init__(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        self._request, self._tmp_path = request, tmp_path

    @contextmanager
    def __call__(
        self,
        name: str = "",
        *,
        rtol: float = 1e-3,
        atol: float = 1e-6,
        tolerances: Tolerances | None = None,
        match: Literal["step", "epoch"] = "step",
        include: Collection[str] = (),
        update_freq: int | Literal["auto", "sparse", "batch", "epoch"] = 1,
        **arguments: Any,
    ) -> Iterator[LayerHealth]:
        """Gives the callback to train with; compares its run with the golden when the block ends.

        Args:
            name: of the golden, for a test with several trainings.
            rtol: largest allowed difference relative to the expected value.
            atol: largest allowed absolute difference.
            tolerances: per statistic and layer, instead of `rtol` and `atol`.
            match: "step" or "epoch", as in `tb_activations.testing.compare`.
            include: ("findings",) also compares what the rules report.
            update_freq: which steps are observed; "auto" depends on the clock and is not allowed.
            **arguments: of `LayerHealth`. By default, neither pictures nor histograms are written.

        Raises:
            ValueError: an argument is not allowed.
        """
        from tb_activations.callback import LayerHealth

        if update_freq == "auto":
            raise ValueError('update_freq="auto" depends on the clock; give a number, "sparse", "batch" or "epoch"')
        golden = self._golden(name, rtol, atol, tolerances, match, include)
        settings = {"image_freq": 0, "histogram_freq": 0, "stock_summaries": False, **arguments}
        log_dir = self._tmp_path / FOLDER / (name or "run")
        yield LayerHealth(log_dir, update_freq=update_freq, **settings)
        self._check(golden, log_dir)

    def check(
        self,
        log_dir: str | os.PathLike[str],
        name: str = "",
        *,
        rtol: float = 1e-3,
        atol: float = 1e-6,
        tolerances: Tolerances | None = None,
        match: Literal["step", "epoch"] = "step",
        include: Collection[str] = (),
    ) -> None:
        """Compares a run that was recorded in another way, such as by `Recorder`, with the golden.

        Args:
            log_dir: folder of the run.
            name: and the other arguments as for a training with the callback.
        """
        self._check(self._golden(name, rtol, atol, tolerances, match, include), log_dir)

    def _golden(
        self,
        name: str,
        rtol: float,
        atol: float,
        tolerances: Tolerances | None,
        match: Literal["step", "epoch"],
        include: Collection[str],
    ) -> Golden:
        from tb_activations.comparison.tolerance import Tolerances
        from tb_activations.golden.check import Golden

        file = Path(self._request.path)
        test = self._request.node.nodeid.partition("::")[2].replace("::", ".")
        own = _file_name(test + (f"-{name}" if name else ""))
        title = self._request.node.nodeid + (f", {name}" if name else "")
        allowed = tolerances or Tolerances.of(rtol, atol)
        return Golden(file.parent / FOLDER / file.stem / own, title, allowed, match, tuple(include))

    def _check(self, golden: Golden, log_dir: str | os.PathLike[str]) -> None:
        config = self._request.config
        if config.getoption("--update-layer-health"):
            if golden.update(log_dir):
                self._request.node.user_properties.append((_PROPERTY, _short(golden.folder, config)))
            return
        pages = config.rootpath / config.getoption("--layer-health-pages")
        page = pages / f"{golden.folder.parent.name}-{golden.folder.name}.html"
        failure = golden.failure(log_dir, page)
        if failure:
            # The message has everything; the lines of the test and of this module would only bury it.
            pytest.fail(failure, pytrace=False)


@pytest.fixture
def layer_health_golden(request: pytest.FixtureRequest, tmp_path: Path) -> LayerHealthGolden:
    """Trains with the callback that it gives, and compares every statistic of every layer with the stored golden.

    `with layer_health_golden() as callback: model.fit(..., callbacks=[callback])`
    """
    return LayerHealthGolden(request, tmp_path)


def _file_name(name: str) -> str:
    """The name of a test as the name of a folder; names that had to be changed end in a digest."""
    allowed = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.")[:80]
    return allowed if allowed == name else f"{allowed}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _short(path: Path, config: pytest.Config) -> str:
    return os.path.relpath(path, config.rootpath)
