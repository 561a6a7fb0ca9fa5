"""One judging at a time; the latest request for a run replaces those before it, and none lasts for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tb_activations.plugin.errors import ApiError, ErrorKind
from tb_activations.plugin.turns import Turn, Turns


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def work(turns: Turns, subject: str, has_begun: threading.Event, may_end: threading.Event) -> str:
    """Works until it is allowed to end or checks that it has been replaced."""
    try:
        with turns.turn(subject, "try later") as turn:
            has_begun.set()
            assert may_end.wait(30)
            turn.check()
            return "done"
    except ApiError as error:
        return error.kind


def queue_of(turns: Turns, subject: str) -> int | None:
    return turns._latest.get(subject)


def wait_until_queued(turns: Turns, number: int) -> None:
    """Until the request with this number has asked for a turn."""
    with turns._condition:
        assert turns._condition.wait_for(lambda: turns._count >= number, 30)


def test_the_latest_request_ends_the_ones_before_it_waiting_or_working() -> None:
    turns = Turns(Clock(), seconds=30)
    begun = [threading.Event() for _ in range(3)]
    ends = [threading.Event() for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(work, turns, "run", begun[0], ends[0])
        assert begun[0].wait(30)
        second = pool.submit(work, turns, "run", begun[1], ends[1])
        wait_until_queued(turns, 2)
        third = pool.submit(work, turns, "run", begun[2], ends[2])
        # The one that waits leaves at once, although the first still works.
        assert second.result(30) == ErrorKind.SUPERSEDED
        ends[0].set()
        assert first.result(30) == ErrorKind.SUPERSEDED
        assert begun[2].wait(30)
        ends[2].set()
        assert third.result(30) == "done"
    assert not begun[1].is_set()
    assert queue_of(turns, "run") is None


def test_requests_for_other_runs_wait_and_are_not_replaced() -> None:
    turns = Turns(Clock(), seconds=30)
    begun = [threading.Event() for _ in range(2)]
    ends = [threading.Event() for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(work, turns, "a", begun[0], ends[0])
        assert begun[0].wait(30)
        second = pool.submit(work, turns, "b", begun[1], ends[1])
        wait_until_queued(turns, 2)
        assert not begun[1].is_set()
        ends[0].set()
        ends[1].set()
        assert (first.result(30), second.result(30)) == ("done", "done")


def test_a_request_ends_when_its_time_is_up() -> None:
    clock = Clock()
    turns = Turns(clock, seconds=20)

    def late(turn: Turn) -> None:
        clock.now = 20.0
        turn.check()

    with (
        pytest.raises(ApiError, match=r"longer than the limit of 20 seconds; try later") as caught,
        turns.turn("run", "try later") as turn,
    ):
        late(turn)
    assert caught.value.kind == ErrorKind.TOO_SLOW
    # The turn is free again.
    with turns.turn("run", "") as again:
        again.check()


def test_a_request_that_waits_ends_when_its_time_is_up() -> None:
    clock = Clock()
    turns = Turns(clock, seconds=0)
    turns._is_busy = True
    with pytest.raises(ApiError) as caught, turns.turn("run", ""):
        pass
    assert caught.value.kind == ErrorKind.TOO_SLOW
    assert queue_of(turns, "run") is None


def test_an_error_in_a_turn_frees_it() -> None:
    turns = Turns(Clock())
    with pytest.raises(ZeroDivisionError), turns.turn("run", ""):
        raise ZeroDivisionError
    with turns.turn("run", "") as turn:
        turn.check()
