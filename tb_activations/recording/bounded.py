"""Actions with a time limit: they run on a separate thread, and the caller waits for a limited time."""

from __future__ import annotations

import contextvars
import ctypes
import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
StartThread = Callable[[Callable[[], None]], threading.Thread]

GRACE_SECONDS = 1.0
"""How long a stopped action may take to end; only one that is blocked outside Python takes longer."""


_local = threading.local()


def processor_seconds() -> float:
    """Processor time of this thread, and of all actions on other threads that it has waited for."""
    return time.thread_time() + getattr(_local, "waited_for", 0.0)


class TimeLimitError(Exception):
    """An action exceeded its time limit, or cannot begin because an earlier one is still blocked."""


class _Stopped(BaseException):
    """Ends an action from inside. Not an `Exception`, so `except Exception` in the action does not catch it."""


class Bounded:
    """Runs actions on a daemon thread, one at a time, and waits at most `seconds` for each.

    An action that takes longer is stopped by an exception in its own thread, never in the caller's. One that is blocked
    outside of Python (a sleep, a filesystem that hangs) is left behind; until it ends nothing else runs here.

    Args:
        seconds: above 0; how long the caller waits for an action.
        grace: seconds; how long the caller waits for the end of an action that it stopped.
        start_thread: starts a daemon thread that runs a function.
    """

    def __init__(
        self, seconds: float, *, grace: float = GRACE_SECONDS, start_thread: StartThread | None = None
    ) -> None:
        self.seconds = seconds
        self._grace = grace
        self._start_thread = start_thread or _start_daemon
        self._tasks: queue.SimpleQueue[_Task[Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_stopping = False

    def run(self, action: Callable[[], Result]) -> Result:
        """What the action returns; what it raises is raised here. An action inside an action is part of that one.

        Raises:
            TimeLimitError: it took too long, or an earlier one has been stopped and has not ended yet.
            RuntimeError: no thread can be started.
        """
        if threading.current_thread() is self._thread:
            return action()
        thread = self._living_thread()
        task = _Task(action)
        self._tasks.put(task)
        try:
            task.done.wait(self.seconds)
        except BaseException:
            self._stop(task, thread)
            raise
        if not task.done.is_set() and self._stop(task, thread):
            raise TimeLimitError(f"no end within {self.seconds:g} seconds")
        _local.waited_for = getattr(_local, "waited_for", 0.0) + task.processor_seconds
        return task.outcome()

    def close(self) -> None:
        """Ends the thread once it is idle; `run` starts another."""
        self._tasks.put(None)
        if not self._is_stopping:
            self._thread = None

    def _living_thread(self) -> threading.Thread:
        thread = self._thread
        if thread is not None and thread.is_alive():
            if self._is_stopping:
                raise TimeLimitError("an earlier action is still blocked")
            return thread
        # A new queue: that of a thread that ended may have an action which the thread never took.
        tasks: queue.SimpleQueue[_Task[Any] | None] = queue.SimpleQueue()
        self._tasks = tasks
        thread = self._thread = self._start_thread(lambda: _serve(tasks))
        self._is_stopping = False
        weakref.finalize(self, tasks.put, None)
        return thread

    def _stop(self, task: _Task[Any], thread: threading.Thread) -> bool:
        """Stops the action; False if it has ended meanwhile."""
        with task.guard:
            if task.is_over:
                return False
            self._is_stopping = True
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Stopped))
        thread.join(self._grace)
        return True


class _Task(Generic[Result]):
    """An action on its way through the thread.

    Attributes:
        guard: held while deciding whether the action has ended or is stopped.
        is_over: whether it ended by itself.
        done: set when `is_over` is.
        processor_seconds: that it used, once it is over.
    """

    def __init__(self, action: Callable[[], Result]) -> None:
        self._action = action
        # Settings such as those of `numpy.errstate` apply in the action too.
        self._context = contextvars.copy_context()
        self._result: Result | None = None
        self._error: BaseException | None = None
        self.guard, self.is_over, self.done = threading.Lock(), False, threading.Event()
        self.processor_seconds = 0.0

    def perform(self) -> None:
        began = processor_seconds()
        try:
            self._result = self._context.run(self._action)
        except _Stopped:
            raise
        except BaseException as error:
            self._error = error
        self.processor_seconds = processor_seconds() - began
        with self.guard:
            self.is_over = True
        self.done.set()

    def outcome(self) -> Result:
        error, self._error = self._error, None
        if error is not None:
            raise error
        result: Any = self._result
        return result  # type: ignore[no-any-return]


def _serve(tasks: queue.SimpleQueue[_Task[Any] | None]) -> None:
    try:
        # Ends with the None that `close` and the finalizer put into the queue.
        while (task := tasks.get()) is not None:
            task.perform()
            # While waiting for the next action it must not keep alive what the last one used.
            del task
    except _Stopped:
        return


def _start_daemon(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, name="tb_activations", daemon=True)
    thread.start()
    return thread
