"""The examples of `docs/custom_loops.md` run unchanged."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from tb_activations import load

PAGE = Path(__file__).parents[2] / "docs/custom_loops.md"


def test_the_examples_run_and_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "loop.py"
    script.write_text("\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)), "utf-8")
    space = runpy.run_path(str(script))
    run = load("logs/own-loop")
    assert run.steps[-1] >= 17
    assert set(run.step_stat("epoch")) == {0, 1, 2}
    assert run.layers == tuple(layer.name for layer in space["model"].layers)
    assert load("logs/eager-loop").steps.tolist() == [0, 4]
    assert all(load("logs/eager-loop").weight_stat("update_ratio")[0] > 0)
