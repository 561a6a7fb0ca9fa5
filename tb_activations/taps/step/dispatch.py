"""Runs either Keras' own training step or the observed one, during one training."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from tb_activations.taps.gist import gist
from tb_activations.taps.numbers.packed import PackedStep
from tb_activations.taps.schedule.cadence import Cadence, StepClock
from tb_activations.taps.schedule.pace import Pace
from tb_activations.taps.step.observed_step import ObservedStep
from tb_activations.taps.step.step_taps import row_count

_LOGGER = logging.getLogger("tb_activations")
_OF_DEVICE = (tf.errors.ResourceExhaustedError, tf.errors.InternalError, tf.errors.UnimplementedError)
"""Errors that statistics can cause. Any other error belongs to the training, even if part of the update is done."""

_Logs = dict[str, Any]


class Dispatcher:
    """Replaces `model.train_function` during a training.

    A step that is not due calls `plain`, the same function object that Keras made, and returns its result. A step that
    is due calls the observed step and passes the result to `on_observed`. If an observed step fails, observing ends
    with one warning, and training continues with `plain` on the same batch.

    Attributes:
        plain: the function that runs if a step is not observed.
        failure: why steps are no longer observed; "" while they are.
        counts_each_step: whether the optimizer has counted every observed step. One that accumulates gradients counts
            only some, and loss scaling skips updates.
        last_count: the optimizer's count after the last observed step, 0 before any.
        is_passed_over: whether the dispatcher of another callback observed a step that was due here, which is logged.
    """

    def __init__(
        self,
        model: keras.Model,
        observed: Callable[[], ObservedStep],
        cadence: Cadence,
        clock: Callable[[], float],
        wants_histograms: Callable[[int, bool], bool],
        on_observed: Callable[[PackedStep], None],
        *,
        on_first_step: Callable[[], None] = lambda: None,
        steps_before: int = 0,
    ) -> None:
        """Creates a dispatcher; `install` puts it on the model.

        Args:
            model: has a train function.
            observed: makes the observed step when the first step is due.
            cadence: decides which steps are due.
            clock: returns seconds.
            wants_histograms: takes the optimizer's iterations before a step and whether the step ends an epoch.
            on_observed: receives every observed step.
            on_first_step: called when the first step begins that no other callback observes. Until then the model's
                weights may still be restored.
            steps_before: steps that this training ran earlier, under another dispatcher.
        """
        self.plain = model.train_function
        self.failure = ""
        self._model = model
        # `fit` makes a new history each time, which identifies the training that this dispatcher belongs to.
        self._history = getattr(model, "history", None)
        self._make_observed = observed
        self._observed: ObservedStep | None = None
        self._pace = Pace(cadence, clock)
        self._wants_histograms = wants_histograms
        self._on_observed = on_observed
        self._on_first_step = on_first_step
        self._stride = model.steps_per_execution
        self._is_begun = self._is_open = False
        self._steps_before = steps_before
        self._next = iterations(model)
        self._first = self._next - steps_before
        self._epoch_steps: int | None = None
        self._in_epoch = 0
        self._is_last_epoch = False
        self._largest_batch = 0
        self._ends_partial = self._has_delivered = False
        self.is_passed_over = False
        self.counts_each_step = True
        self.last_count = 0

    def begin_epoch(self, steps: int | None, is_last: bool) -> None:
        """Begins an epoch with this many steps; `is_last` marks the last planned one.

        If the number of steps is unknown (None), the epoch is expected to have as many as the one before.
        """
        self._epoch_steps, self._in_epoch, self._is_last_epoch = steps or self._in_epoch or None, 0, is_last

    @property
    def steps(self) -> int:
        """Steps of this training so far."""
        return self._next - self._first

    @property
    def next_step(self) -> int:
        """Number of the next step.

        An execution of several steps may end earlier, with the data, than is known here.
        """
        return self._next

    @property
    def is_exact(self) -> bool:
        """Whether `next_step` needs no correction by the count of the optimizer."""
        return self._stride == 1 or not self.counts_each_step

    def install(self) -> None:
        self._model.train_function = self

    def is_installed(self) -> bool:
        """Whether the model's steps reach this dispatcher, perhaps through that of another callback."""
        return any(step is self for step in _chain(self._model.train_function))

    def remove(self) -> None:
        """Restores the model's own train function, unless something else has replaced this dispatcher since.

        The dispatcher of another callback that wraps this one stays in place.
        """
        if self._model.train_function is self:
            self._model.train_function = self.plain
        for step in _chain(self._model.train_function):
            if isinstance(step, Dispatcher) and step.plain is self:
                step.plain = self.plain

    def __call__(self, iterator: Any) -> Any:
        if getattr(self._model, "history", None) is not self._history:
            # An interrupted `fit` never called `on_train_end`. This step belongs to a later `fit` without the callback.
            self.remove()
            return self.plain(iterator)
        try:
            self._begin()
            first = self._next
            is_due, is_epoch_end = self._begin_step()
        except Exception as error:
            self._give_up(gist(error))
            return self.plain(iterator)
        is_observed = is_due and not self.failure
        # The observed step replaces the whole chain below, so the other dispatchers must count the step themselves.
        others = [step for step in _chain(self.plain) if isinstance(step, Dispatcher)] if is_observed else []
        for other in others:
            other.pass_over()
        try:
            if not is_observed:
                return self.plain(iterator)
            is_together = self._stride > 1 and self._runs_together(iterator)
            return (self._observe_together if is_together else self._observe)(first, is_epoch_end, iterator)
        except (StopIteration, tf.errors.OutOfRangeError):
            # Data of unknown length ends with a call that finds no batch. That call is not a step.
            for dispatcher in (self, *others):
                dispatcher.take_back()
            raise

    def pass_over(self) -> None:
        """Counts a step that the dispatcher of another callback observes instead of this one."""
        self._count_from_here()
        is_due, _ = self._begin_step()
        if is_due and not self.is_passed_over:
            self.is_passed_over = True
            _LOGGER.warning(
                "Layer health: two callbacks observe this training. When both want the same step the last one gets it; "
                "the other waits for its next free step. Choose another update_freq, or use one callback."
            )

    def take_back(self) -> None:
        """Undoes the counting of the step that began last."""
        self._next, self._in_epoch = self._next - self._stride, self._in_epoch - self._stride

    def _begin(self) -> None:
        self._count_from_here()
        if not self._is_open:
            self._is_open = True
            self._on_first_step()

    def _count_from_here(self) -> None:
        """Starts counting at the optimizer's current iterations, once the first step begins.

        A checkpoint restored between the construction of this dispatcher and the first step sets them.
        """
        if not self._is_begun:
            self._is_begun = True
            self._next = iterations(self._model)
            self._first = self._next - self._steps_before

    def _begin_step(self) -> tuple[bool, bool]:
        """Counts a step and returns whether to observe it, and whether it is the last of its epoch."""
        first, self._next = self._next, self._next + self._stride
        self._in_epoch += self._stride
        # The last batch of every epoch is as small as that of the first one: the step before it shows more.
        last = None if self._epoch_steps is None else self._epoch_steps - (1 if self._ends_partial else 0)
        is_epoch_end = last is not None and self._in_epoch - self._stride < last <= self._in_epoch
        clock = StepClock(first - self._first, is_epoch_end, is_epoch_end and self._is_last_epoch)
        return self._pace.begin_step(clock), is_epoch_end

    def _observe(self, first: int, is_epoch_end: bool, iterator: Any) -> Any:
        seen, is_start, is_partial = None, first == self._first, False
        taken, at_start = 0, iterations(self._model)
        # What `_observe_together` cannot take: Keras' train function takes `steps_per_execution` batches in one call.
        for left in range(self._stride - 1, -1, -1):
            batch = next(iterator, None)
            if batch is None:
                break
            before = iterations(self._model)
            is_partial, taken = self._is_partial(batch), taken + 1
            try:
                seen = self._see(first, is_epoch_end, batch, iterator)
            except Exception as error:
                self._give_up(gist(error))
                # If the update is already applied, training on this batch again would apply it twice.
                is_done = isinstance(error, _OF_DEVICE) and iterations(self._model) > before
                return self._plainly(itertools.chain([] if is_done else [batch], itertools.islice(iterator, left)))
            if is_start and left:
                # Usually the last step of an execution is recorded. Only the very first one shows the initial weights.
                self._deliver(first, *seen)
            is_start = False
        if seen is None:
            raise StopIteration
        self._count(first, taken, at_start)
        self._pace.observed(first - self._first)
        if is_partial and is_epoch_end:
            self._ends_partial = True
            if self._has_delivered:
                return seen[0]
        return self._deliver(self._next - 1, *seen)

    def _runs_together(self, iterator: Any) -> bool:
        try:
            return isinstance(iterator, tf.data.Iterator) and self._step().can_execute(iterator.element_spec)
        except Exception:  # The observed step cannot be made; `_observe` logs why.
            return False

    def _observe_together(self, first: int, is_epoch_end: bool, iterator: Any) -> Any:
        """Observes all batches of an execution in Keras' own loop; records its last step, and the very first one."""
        batches = list(itertools.islice(iterator, self._stride))
        if not batches:
            raise StopIteration
        before = iterations(self._model)
        has_histograms = self._wants_histograms(first, is_epoch_end)
        try:
            logs, start, end = self._step().execute(batches, has_histograms)
        except Exception as error:
            self._give_up(gist(error))
            # The batch of an error that belongs to the training comes again, whether or not its update is counted.
            again = 0 if isinstance(error, _OF_DEVICE) else 1
            return self._plainly(iter(batches[max(iterations(self._model) - before - again, 0) :]))
        self._count(first, len(batches), before)
        self._pace.observed(first - self._first)
        if first == self._first and len(batches) > 1 and start:
            self._deliver(first, {}, PackedStep(first, start, self._step(), False, batch=batches[0]))
        packed = PackedStep(first, end, self._step(), has_histograms, batch=batches[-1])
        return self._deliver(self._next - 1, logs, packed)

    def _count(self, first: int, steps: int, before: int) -> None:
        """Counts this many observed steps from the first on; the optimizer's count was `before`."""
        done = self.last_count = iterations(self._model)
        is_counted = done - before >= steps
        self.counts_each_step = self.counts_each_step and is_counted
        # The count of an optimizer is exact: the data may have ended before an earlier execution was full.
        self._next = done if is_counted and done > first else first + steps

    def _is_partial(self, batch: Any) -> bool:
        """Whether a batch has fewer rows than the largest one observed, and another may be observed instead."""
        rows = row_count(batch)
        self._largest_batch = max(self._largest_batch, rows)
        is_alone = self._stride == 1 and self._pace.prefers_full_batches
        return is_alone and rows < self._largest_batch

    def _see(self, first: int, is_epoch_end: bool, batch: Any, iterator: Any) -> tuple[_Logs, PackedStep]:
        has_histograms = self._wants_histograms(first, is_epoch_end)
        logs, vectors = self._step()(batch, getattr(iterator, "element_spec", None), has_histograms)
        return logs, PackedStep(first, vectors, self._step(), has_histograms, batch=batch)

    def _step(self) -> ObservedStep:
        if self._observed is None:
            self._observed = self._make_observed()
        return self._observed

    def _deliver(self, number: int, logs: _Logs, packed: PackedStep) -> _Logs:
        if packed.vectors:
            self._has_delivered = True
            self._on_observed(dataclasses.replace(packed, step=number, loss=_loss(logs)))
        elif self._observed is not None:
            self._give_up(self._observed.failure)
        return logs

    def _plainly(self, batches: Iterator[Any]) -> Any:
        """Trains on these batches without observing.

        An error that the training itself causes is raised again here, as it would be without the callback.
        """
        batch = next(batches, None)
        if batch is None:
            return self._model.get_metrics_result()
        return self.plain(itertools.chain([batch], batches))

    def _give_up(self, reason: str) -> None:
        if not self.failure:
            self.failure = reason
            _LOGGER.warning(
                "Layer health: observing is off, the observed step failed (%s). Training continues.", reason
            )

    def close_step(self) -> None:
        """Stops timing the last step, if that has not happened yet."""
        self._pace.close_step()


def _loss(logs: Mapping[str, Any]) -> float | None:
    """The loss that a step returned; None if it returned none, or something that is not a number."""
    with contextlib.suppress(KeyError, TypeError, ValueError):
        return float(logs["loss"])
    return None


def _chain(step: Any) -> Iterator[Any]:
    """The chain of train functions: dispatchers from the outermost in, then the function that they replace."""
    yield step
    while isinstance(step, Dispatcher):
        step = step.plain
        yield step


def iterations(model: keras.Model) -> int:
    """Iterations of the model's optimizer; 0 without an optimizer, or with one that does not count."""
    count = getattr(getattr(model, "optimizer", None), "iterations", None)
    return 0 if count is None else int(count.numpy())
