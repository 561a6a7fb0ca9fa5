"""`docs/integrations.md`: its examples use what exists, and its extras can be installed."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from tb_activations import LayerHealth, integrations

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/integrations.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def calls(source: str) -> list[ast.Call]:
    """Calls of names of the package."""
    known = {*integrations.__all__, "LayerHealth"}
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call for call in found if isinstance(call.func, ast.Name) and call.func.id in known]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_examples_pass_arguments_that_exist(block: str) -> None:
    for call in calls(block):
        assert isinstance(call.func, ast.Name)
        called = LayerHealth if call.func.id == "LayerHealth" else getattr(integrations, call.func.id)
        names = {keyword.arg: None for keyword in call.keywords if keyword.arg}
        inspect.signature(called).bind(*[None for _ in call.args], **names)


def test_the_examples_show_every_integration() -> None:
    shown = {call.func.id for block in BLOCKS for call in calls(block) if isinstance(call.func, ast.Name)}
    assert shown | {name for name in integrations.__all__ if f"`{name}(" in PAGE} >= set(integrations.__all__)


def test_every_extra_exists() -> None:
    first = re.search(r"tb-activations\[([\w-]+)\]\" +# or (.*)", PAGE)
    assert first is not None
    setup = (ROOT / "setup.py").read_text("utf-8")
    for extra in [first[1], *first[2].split(", ")]:
        assert f'"{extra}": [' in setup


def test_each_integration_is_short() -> None:
    files = (ROOT / "tb_activations/integrations").glob("*.py")
    counts = {path.name: len(path.read_text("utf-8").splitlines()) for path in files}
    of_tools = ("webhook.py", "wandb_alerts.py", "trackio_alerts.py", "mlflow_tags.py", "pruner.py")
    assert {name: counts[name] for name in of_tools if counts[name] > 60} == {}
