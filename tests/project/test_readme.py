"""What README and CHANGELOG say is true: snippets run, commands and targets exist, the version is the version."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tb_activations

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_snippets_run_on_real_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras
    from sklearn.datasets import load_digits

    monkeypatch.chdir(tmp_path)
    digits = load_digits()
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(10)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    names = {"model": model, "x": digits.data / 16, "y": digits.target}
    for snippet in blocks(README, "python"):
        exec(compile(snippet, "README.md", "exec"), names)
    assert list((tmp_path / "logs/run-1").glob("events.out.tfevents.*"))


def test_every_shell_command_is_one_that_other_tests_run() -> None:
    from tests.packaging.readme import COMMANDS

    written = [line for block in blocks(README, "sh") for line in block.splitlines()]
    assert sorted(set(written)) == sorted(COMMANDS)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?make ([a-z][a-z-]*)`?", README + CONTRIBUTING))))
def test_every_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:.*##", MAKEFILE, re.MULTILINE)


def test_continuous_integration_runs_make_test() -> None:
    assert "make test" in (ROOT / ".ci/run").read_text("utf-8")


@pytest.mark.parametrize(("text", "limit"), [(README, 150), (CONTRIBUTING, 110)], ids=["README", "CONTRIBUTING"])
def test_pages_stay_short(text: str, limit: int) -> None:
    assert len(text.splitlines()) <= limit


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\S+) - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert versions[0][0] == tb_activations.__version__


def test_every_rule_has_its_section_with_every_threshold() -> None:
    from tb_activations.health.rules import RULES

    sections = dict(
        re.findall(r"^## `(\w+)`(.*?)(?=^## |\Z)", (ROOT / "docs/rules.md").read_text("utf-8"), re.M | re.S)
    )
    assert set(sections) == set(RULES)
    for name, rule in RULES.items():
        for threshold, value in rule().thresholds.items():
            assert f"| `{threshold}` | {value:g} |" in sections[name]
