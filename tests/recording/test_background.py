"""Work that the training need not wait for."""

from __future__ import annotations

import itertools
import sys
import threading
import time

import pytest

from tb_activations.recording.background import Background, Inline, Worker


@pytest.mark.parametrize(
    "worker", [Inline(), Background(), Background(room=0)], ids=["inline", "background", "no room"]
)
def test_actions_happen_in_order(worker: Worker) -> None:
    done: list[int] = []
    for number in range(50):
        worker.submit(lambda number=number: done.append(number))  # type: ignore[misc]
    worker.wait()
    assert done == list(range(50))


def test_the_caller_does_not_wait_while_there_is_room() -> None:
    worker, gate, done = Background(room=2), threading.Event(), threading.Event()
    worker.submit(lambda: _pass(gate))
    worker.submit(done.set)
    assert not done.is_set()
    gate.set()
    worker.wait()
    assert done.is_set()


def test_the_caller_waits_for_room_and_no_longer_than_allowed() -> None:
    worker, gate = Background(room=1, seconds=0.01), threading.Event()
    worker.submit(lambda: _pass(gate))
    worker.submit(lambda: None)
    try:
        with pytest.raises(TimeoutError):
            worker.submit(lambda: None)
        with pytest.raises(TimeoutError):
            worker.wait()
    finally:
        gate.set()
    worker.rest()


def test_other_threads_may_wait_while_one_submits() -> None:
    worker, is_over, failures = Background(), threading.Event(), list[BaseException]()

    def wait_again_and_again() -> None:
        try:
            while not is_over.is_set():
                worker.wait()
        except BaseException as error:
            failures.append(error)

    interval, others = sys.getswitchinterval(), [threading.Thread(target=wait_again_and_again) for _ in range(3)]
    sys.setswitchinterval(1e-6)
    try:
        for other in others:
            other.start()
        for _ in range(2000):
            worker.submit(lambda: None)
    finally:
        sys.setswitchinterval(interval)
        is_over.set()
        for other in others:
            other.join()
    assert failures == []


def test_an_action_does_not_wait_for_itself() -> None:
    worker, is_submitted, has_waited = Background(seconds=1), threading.Event(), threading.Event()

    def wait_within() -> None:
        _pass(is_submitted)
        worker.wait()
        has_waited.set()

    worker.submit(wait_within)
    is_submitted.set()
    worker.wait()
    assert has_waited.is_set()


def test_an_action_without_an_end_is_waited_for_once() -> None:
    worker, gate = Background(seconds=0.1), threading.Event()
    worker.submit(lambda: _pass(gate))
    try:
        with pytest.raises(TimeoutError):
            worker.wait()
        began = time.monotonic()
        for _ in range(20):
            with pytest.raises(TimeoutError):
                worker.wait()
        assert time.monotonic() - began < 1
    finally:
        gate.set()
    worker.rest()


def test_seconds_are_those_of_the_worker_without_those_waited_for() -> None:
    cpu, wall = itertools.count(0, 3), itertools.count(0, 1)
    worker = Background(cpu_clock=lambda: float(next(cpu)), clock=lambda: float(next(wall)))
    worker.submit(lambda: None)
    worker.wait()
    assert (worker.take_seconds(), worker.take_seconds()) == (2.0, 0.0)


def test_the_thread_ends_at_rest_and_another_one_begins() -> None:
    worker, names = Background(), list[threading.Thread]()
    for _ in range(2):
        worker.submit(lambda: names.append(threading.current_thread()))
        worker.wait()
        worker.rest()
        names[-1].join(10)
        assert not names[-1].is_alive()
    assert names[0] is not names[1]


def test_an_error_of_an_action_reaches_the_caller() -> None:
    worker = Background()
    worker.submit(lambda: _pass(None))
    with pytest.raises(AssertionError):
        worker.wait()
    worker.wait()


def _pass(gate: threading.Event | None) -> None:
    assert gate is not None
    assert gate.wait(10)
