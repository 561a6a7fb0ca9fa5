"""The examples of `docs/probe.md` run as they stand there, one after the other, in one namespace."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs/probe.md"
LONGEST = 5


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)


def test_examples_are_short() -> None:
    preparation, *examples = blocks()
    assert preparation
    assert len(examples) >= 8
    assert [block for block in examples if len(block.splitlines()) > LONGEST] == []


def test_examples_run_and_show_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    space: dict[str, Any] = {}
    for block in blocks():
        exec(compile(block, str(PAGE), "exec"), space)
    assert space["maps"].shape == (96, 8, 8, 8)
    np.testing.assert_allclose(space["conv_mean"], space["maps"].mean(axis=(0, 1, 2)), rtol=1e-5)
    assert space["best"].activation > space["of_data"].max()
    assert space["error"].per_sample.shape == (96,)
    assert {"norm", "drop"} <= set(space["differing"])
    assert "head" in capsys.readouterr().out


def test_every_public_name_has_an_example() -> None:
    from tb_activations import probe

    functions = [name for name in probe.__all__ if name[0].islower()]
    text = "\n".join(blocks())
    assert [name for name in functions if f"{name}(" not in text] == []
