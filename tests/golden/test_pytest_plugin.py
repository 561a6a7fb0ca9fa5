"""The fixture `layer_health_golden` in a real pytest session."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tb_activations.golden.store import EVENT_FILE, SUMMARY
from tests.golden.conftest import Recorded

pytest_plugins = ["pytester"]

TRAINS = """
from tests.golden.changes import train

def test_digits(layer_health_golden):
    with layer_health_golden() as callback:
        train({change!r}, callback)
"""
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


def test_a_training_is_written_then_compared_then_found_different(pytester: pytest.Pytester) -> None:
    written = run(pytester, TRAINS.format(change=""), "--update-layer-health")
    written.assert_outcomes(passed=1)
    golden = pytester.path / "tests/layer_health/test_it/test_digits"
    assert {path.name for path in golden.iterdir()} == {EVENT_FILE, SUMMARY}
    written.stdout.fnmatch_lines(["written: tests/layer_health/test_it/test_digits"])
    before = (golden / EVENT_FILE).read_bytes()

    changed = run(pytester, TRAINS.format(change="dropout rate"))
    changed.assert_outcomes(failed=1)
    lines = printed_failure(changed)
    assert len(lines) <= 40
    assert "test_digits differs from its golden: step 0, layer 'dropout': mean expected " in lines[0]
    assert lines[-1] == "If this change is intended, run: pytest --update-layer-health"
    (page,) = (pytester.path / "layer-health-failures").iterdir()
    assert f"Charts: layer-health-failures/{page.name}" in lines
    assert "<svg" in page.read_text("utf-8")
    assert (golden / EVENT_FILE).read_bytes() == before


def test_a_recorded_run_is_compared_by_folder(pytester: pytest.Pytester, recorded: Recorded) -> None:
    source = CHECKS.format(log_dir=str(recorded("")))
    missing = run(pytester, source)
    missing.assert_outcomes(failed=2)
    missing.stdout.fnmatch_lines(["*has no golden in*", "To write it, run: pytest --update-layer-health"])
    run(pytester, source, "--update-layer-health").assert_outcomes(passed=2)
    goldens = sorted(path.name for path in (pytester.path / "tests/layer_health/test_it").iterdir())
    assert len(goldens) == 2
    run(pytester, source).assert_outcomes(passed=2)
    other = CHECKS.format(log_dir=str(recorded("frozen layer")))
    failed = run(pytester, other, "--layer-health-pages", "pages", "-k", "a/b")
    failed.assert_outcomes(failed=1, deselected=1)
    failed.stdout.fnmatch_lines(["*layer 'first': trainable expected True, got False"])
    assert [path.suffix for path in (pytester.path / "pages").iterdir()] == [".html"]


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
