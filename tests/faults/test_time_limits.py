"""A rule or the filesystem takes too long: the training continues with the same weights."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tb_activations import load
from tb_activations.cli.main import main
from tb_activations.health.rules.base import Rule
from tb_activations.recording import judging, run_output
from tb_activations.recording.folder.claim import Claim
from tb_activations.recording.folder.writer import RunWriter
from tb_activations.records.finding import Outcome
from tests.faults import observe
from tests.faults.conftest import Told
from tests.faults.observe import EPOCH_STEPS, SAME, STEPS, check_row, fit, network, outcome

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

# The time limits are the point, not what is measured.
every_step = functools.partial(observe.every_step, histogram_freq=0, image_freq=0)

SHORT = 1.0
"""Time limit in seconds for the rules. No action that ends takes this long, even on a busy machine."""
SHORT_WRITE = 3.0
"""Time limit in seconds for the filesystem."""
FAILS_AT = 5


def forever() -> None:
    never = threading.Event()
    # The training gets the interpreter in between: tracing would take minutes next to a loop that holds it.
    while not never.wait(0.001):
        pass


@pytest.fixture
def blocked() -> Iterator[Callable[[], None]]:
    """Blocks outside of Python until the test ends."""
    end = threading.Event()
    yield lambda: (end.wait(), None)[1]
    end.set()


@pytest.fixture
def short_judging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "JUDGE_SECONDS", SHORT)
    monkeypatch.setattr(judging, "REPEAT_SECONDS", SHORT)


@pytest.fixture
def short_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_output, "WRITE_SECONDS", SHORT_WRITE)


def slow_rule(monkeypatch: pytest.MonkeyPatch, action: Callable[[], None], at: int = FAILS_AT) -> None:
    """Makes judging run the action, from this step on."""
    from tb_activations.health.diagnosis import Diagnosis

    answers = Diagnosis._answers

    def slow(self: Diagnosis, rule: Rule, *others: Any, **options: Any) -> Any:
        if self._history.step >= at:
            action()
        return answers(self, rule, *others, **options)

    monkeypatch.setattr(Diagnosis, "_answers", slow)


@pytest.mark.usefixtures("short_judging")
@pytest.mark.parametrize("kind", ["loops", "blocks"])
def test_a_rule_without_an_end(
    log_dir: str, told: Told, monkeypatch: pytest.MonkeyPatch, blocked: Any, kind: str, capsys: Any
) -> None:
    with monkeypatch.context() as slow:
        slow_rule(slow, forever if kind == "loops" else blocked)
        model = fit(every_step(log_dir))
    check_row("A rule that never finishes", outcome(model), "verdicts from that step on (not evaluated)", told())
    run = load(log_dir)
    assert run.steps.tolist() == STEPS
    assert (run.outcomes[FAILS_AT:] == Outcome.ERROR).all()
    assert not (run.outcomes[:FAILS_AT] == Outcome.ERROR).any()
    assert main(["check", log_dir]) == 2
    assert "failed" in "".join(capsys.readouterr())


@pytest.mark.usefixtures("short_judging")
def test_judging_earlier_records_takes_too_long(log_dir: str, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fit(every_step(log_dir), epochs=1)
    slow_rule(monkeypatch, forever, at=3)
    fit(every_step(log_dir), model=model, epochs=1)
    run = load(log_dir)
    assert run.steps.tolist() == list(range(2 * EPOCH_STEPS))
    assert (run.outcomes[EPOCH_STEPS:] == Outcome.ERROR).all()
    assert sum("judging the earlier records" in text for text in told()) == 1
    assert len(told()) == 2


@pytest.mark.usefixtures("short_writing")
@pytest.mark.parametrize("method", ["write", "flush", "run", "rest"])
def test_a_filesystem_that_does_not_answer(
    log_dir: str, told: Told, monkeypatch: pytest.MonkeyPatch, blocked: Any, method: str
) -> None:
    model = fit(every_step(log_dir), epochs=1) if method == "run" else None
    # The run that is already in the folder is read by the claim, everything else goes through the writer.
    owner: Any = Claim if method == "run" else RunWriter
    real = getattr(owner, method)
    calls = 0

    def hang(self: Any, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > (0 if method in ("run", "rest") else 3):
            blocked()
        return real(self, *arguments)

    monkeypatch.setattr(owner, method, hang)
    trained = fit(every_step(log_dir), model=model)
    training = outcome(trained) if method != "run" else SAME
    check_row("A filesystem that does not answer", training, "all later records", told())


@pytest.mark.usefixtures("short_writing")
def test_the_next_training_is_recorded_again(log_dir: str, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    callback, model = every_step(log_dir), network()
    with monkeypatch.context() as slow:
        slow.setattr(RunWriter, "flush", lambda self: forever())
        fit(callback, model=model, epochs=1)
    fit(callback, model=model, epochs=1)
    assert load(log_dir).steps.tolist()[-EPOCH_STEPS:] == list(range(EPOCH_STEPS, 2 * EPOCH_STEPS))
    assert len(told()) == 2
