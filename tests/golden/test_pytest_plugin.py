"""The fixture `layer_health_golden` in a real session; `tests/project/test_regression_page.py` trains with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tb_activations.golden.store import EVENT_FILE, SUMMARY
from tests.golden.conftest import Recorded

pytest_plugins = ["pytester"]

CHECKS = """
import pytest

@pytest.mark.parametrize("kind", ["a/b", "a-b"])
def test_recorded(layer_health_golden, kind):
    layer_health_golden.check({log_dir!r})
"""


def run(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    """The result of a session with this test file."""
    path = pytester.path / "tests/test_it.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(source, "utf-8")
    return pytester.runpytest_inprocess(path, *arguments)


def printed_failure(result: pytest.RunResult) -> list[str]:
    """The lines between the heading of the failure and the summary of the session."""
    start = next(place for place, line in enumerate(result.outlines) if line.startswith("____"))
    end = next(place for place, line in enumerate(result.outlines) if "short test summary" in line)
    return result.outlines[start + 1 : end]


def test_a_run_is_written_then_compared_then_found_different(pytester: pytest.Pytester, recorded: Recorded) -> None:
    source = CHECKS.format(log_dir=str(recorded("")))
    missing = run(pytester, source)
    missing.assert_outcomes(failed=2)
    missing.stdout.fnmatch_lines(["*has no golden in*", "To write it, run: pytest --update-layer-health"])
    written = run(pytester, source, "--update-layer-health")
    written.assert_outcomes(passed=2)
    goldens = sorted((pytester.path / "tests/layer_health/test_it").iterdir())
    assert len(goldens) == 2
    assert {f"written: {golden.relative_to(pytester.path)}" for golden in goldens} <= set(written.outlines)
    assert {path.name for path in goldens[0].iterdir()} == {EVENT_FILE, SUMMARY}
    run(pytester, source).assert_outcomes(passed=2)

    before = (goldens[0] / EVENT_FILE).read_bytes()
    changed = run(pytester, CHECKS.format(log_dir=str(recorded("frozen layer"))), "-k", "a/b")
    changed.assert_outcomes(failed=1, deselected=1)
    lines = printed_failure(changed)
    assert len(lines) <= 40
    assert "test_recorded[a/b] differs from its golden: step 0, layer 'first': weight_norm expected " in lines[0]
    assert any("layer 'first': trainable expected True, got False" in line for line in lines)
    assert lines[-1] == "If this change is intended, run: pytest --update-layer-health"
    (page,) = (pytester.path / "layer-health-failures").iterdir()
    assert f"Charts: layer-health-failures/{page.name}" in lines
    assert "<svg" in page.read_text("utf-8")
    assert (goldens[0] / EVENT_FILE).read_bytes() == before


def test_observing_by_the_clock_is_refused(pytester: pytest.Pytester) -> None:
    refused = run(
        pytester,
        """
        def test_digits(layer_health_golden):
            with layer_health_golden(update_freq="auto"):
                pass
        """.replace("\n        ", "\n"),
    )
    refused.stdout.fnmatch_lines(['*ValueError: update_freq="auto" depends on the clock; give a number,*'])


def test_a_session_that_does_not_use_the_fixture_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_light.py").write_text(
        "import sys\ndef test_light():\n    assert not {'numpy', 'tensorflow', 'tensorboard'} & {*sys.modules}\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert "1 passed" in done.stdout, done.stdout
