"""The examples of `docs/probe.md` run as printed, one after the other, in one namespace."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_activations.pictures.kinds import read_details

PAGE = Path(__file__).parents[2] / "docs/probe.md"
LONGEST = 5


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)


def test_examples_are_short() -> None:
    preparation, *examples = blocks()
    assert preparation
    assert len(examples) >= 8
    assert [block for block in examples if len(block.splitlines()) > LONGEST] == []


def test_examples_run_and_show_what_the_page_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    for block in blocks():
        exec(compile(block, str(PAGE), "exec"), space)
    assert space["maps"].shape == (96, 8, 8, 8)
    np.testing.assert_allclose(space["conv_mean"], space["maps"].mean(axis=(0, 1, 2)), rtol=1e-5)
    assert space["best"].activation > space["of_data"].max()
    for name, gradient in space["by_weight"].items():
        np.testing.assert_allclose(space["over_dataset"][name], gradient, rtol=1e-3, atol=1e-6)
    assert space["error"].per_sample.shape == (96,)
    assert {"norm", "drop"} <= set(space["differing"])
    assert "head" in capsys.readouterr().out
    assert read_details((tmp_path / "edges.png").read_bytes()) == space["picture"].details
    assert space["texture"].activation > space["of_photographs"].max()
    # The flower fills the middle of its photograph, so its evidence is not at the border.
    row, column = np.unravel_index(space["flower"].argmax(), (107, 160))
    assert 10 < row < 97
    assert 10 < column < 150
    assert all(gradient is not None for gradient in space["gradients"])
    assert np.isfinite(space["difference"]).all()
    errors = space["errors"][np.isfinite(space["errors"])]
    assert len(errors) == 10
    assert errors[-1] < errors[0] / 2


def test_every_public_name_has_an_example() -> None:
    from tb_activations import probe

    functions = [name for name in probe.__all__ if name[0].islower()]
    text = "\n".join(blocks())
    assert [name for name in functions if f"{name}(" not in text] == []
