"""Actions with a time limit: results, errors, interruption, and actions that cannot be interrupted."""

from __future__ import annotations

import contextvars
import gc
import threading
import time
import weakref
from collections.abc import Callable

import pytest

from tb_activations.recording.bounded import Bounded, TimeLimitError, processor_seconds

SHORT = 0.2
"""Time limit in seconds for an action that does not end."""
LONG = 60.0
"""Time limit in seconds that no action reaches; a test that waits this long has failed."""


def test_an_action_returns_and_raises_as_usual() -> None:
    bounded = Bounded(LONG)
    assert bounded.run(lambda: 3) == 3
    assert bounded.run(lambda: None) is None
    for error in (ValueError("wrong"), KeyboardInterrupt(), SystemExit(2)):

        def fail(error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)) as caught:
            bounded.run(fail)
        assert caught.value is error
    assert bounded.run(lambda: 4) == 4


def test_actions_run_one_after_another_on_one_daemon_thread() -> None:
    bounded = Bounded(LONG)
    threads = {bounded.run(threading.current_thread) for _ in range(5)}
    (thread,) = threads
    assert thread.daemon
    assert thread is not threading.current_thread()
    assert bounded.run(lambda: bounded.run(threading.current_thread)) is thread


def test_an_action_sees_the_context_of_its_caller() -> None:
    setting = contextvars.ContextVar("setting", default="outside")
    setting.set("inside")
    assert Bounded(LONG).run(setting.get) == "inside"


def forever() -> None:
    while True:
        pass


def stubborn() -> None:
    while True:
        try:
            forever()
        except Exception:
            pass


@pytest.mark.parametrize("action", [forever, stubborn])
def test_an_action_that_loops_is_stopped_and_the_next_one_runs(action: Callable[[], None]) -> None:
    started: list[threading.Thread] = []

    def start(target: Callable[[], None]) -> threading.Thread:
        started.append(threading.Thread(target=target, daemon=True))
        started[-1].start()
        return started[-1]

    bounded = Bounded(SHORT, grace=LONG, start_thread=start)
    with pytest.raises(TimeLimitError, match=r"no end within 0\.2 seconds"):
        bounded.run(action)
    assert not started[0].is_alive()
    assert bounded.run(lambda: 5) == 5
    assert len(started) == 2


def test_an_action_blocked_outside_python_is_abandoned() -> None:
    end, ended = threading.Event(), threading.Event()

    def blocked() -> None:
        try:
            end.wait()
        finally:
            ended.set()

    bounded = Bounded(SHORT, grace=0.0)
    with pytest.raises(TimeLimitError, match="no end within"):
        bounded.run(blocked)
    with pytest.raises(TimeLimitError, match="still blocked"):
        bounded.run(lambda: 6)
    bounded.close()
    with pytest.raises(TimeLimitError, match="still blocked"):
        bounded.run(lambda: 6)
    end.set()
    assert ended.wait(LONG)
    thread = bounded._thread
    assert thread is not None
    thread.join(LONG)
    assert bounded.run(lambda: 6) == 6


def test_processor_time_of_actions_counts_for_the_thread_that_waits_for_them() -> None:
    outer, inner = Bounded(LONG), Bounded(LONG)

    def busy() -> float:
        began = time.thread_time()
        sum(range(10**6))
        return time.thread_time() - began

    before = processor_seconds()
    used = outer.run(lambda: inner.run(busy))
    assert used > 0
    assert processor_seconds() - before >= used


def test_no_thread_can_be_started() -> None:
    def refuse(target: Callable[[], None]) -> threading.Thread:
        raise RuntimeError("can't start new thread")

    with pytest.raises(RuntimeError, match="can't start"):
        Bounded(LONG, start_thread=refuse).run(lambda: 7)


@pytest.mark.parametrize("end", ["closed", "collected"])
def test_the_thread_ends_with_its_owner(end: str) -> None:
    bounded = Bounded(LONG)
    thread = bounded.run(threading.current_thread)
    if end == "closed":
        bounded.close()
    else:
        gone = weakref.ref(bounded)
        del bounded
        gc.collect()
        assert gone() is None
    thread.join(LONG)
    assert not thread.is_alive()


def test_objects_that_an_action_used_are_released() -> None:
    class Large:
        pass

    def use(large: Large) -> None:
        """Takes it."""

    bounded, large = Bounded(LONG), Large()
    gone = weakref.ref(large)
    bounded.run(lambda large=large: use(large))  # type: ignore[misc]
    bounded.run(lambda: None)
    del large
    gc.collect()
    assert gone() is None
