"""One cell of the table: the same training twice in one process, with and without observing."""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.compatibility.modes import Mode
from benchmarks.compatibility.workload import BATCH, Workload
from tb_activations import LayerHealth, Recorder, load
from tb_activations.taps.gist import gist

EVERY = 2
STEPS = 4


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of a cell.

    Attributes:
        difference: largest difference of a weight's elements relative to the largest element of that weight; 0.0 is
            bit-identical; None if nothing was trained.
        observed: recorded steps.
        not_observed: layers without statistics, and why.
        failure: why the training does not run here even without observing, or what the log reports as lost.
    """

    difference: float | None
    observed: int = 0
    not_observed: dict[str, str] = dataclasses.field(default_factory=dict)
    failure: str = ""


class _Warnings(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.log: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if "observing is off" in message or "nothing" in message or "cannot be" in message:
            self.log.append(message)


def try_cell(make: Callable[[], Workload], mode: Mode) -> Outcome:
    """Trains without and with observing, and compares."""
    try:
        alone = _train(make, mode, None)
    except Exception as error:
        return Outcome(None, failure=gist(error))
    warnings = _Warnings()
    logger = logging.getLogger("tb_activations")
    logger.addHandler(warnings)
    try:
        with tempfile.TemporaryDirectory() as folder:
            watched = _train(make, mode, folder)
            run = load(folder)
    except Exception as error:
        return Outcome(float("inf"), failure=f"ended with an error while observed: {gist(error)}")
    finally:
        logger.removeHandler(warnings)
    reasons = {layer.name: layer.not_observed for layer in run.spec.layers if layer.not_observed}
    return Outcome(_difference(alone, watched), len(run.steps), reasons, "; ".join(warnings.log))


def _train(make: Callable[[], Workload], mode: Mode, folder: str | None) -> list[np.ndarray]:
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(mode.policy)
    try:
        with mode.scope():
            workload = make()
            optimizer = mode.optimizer()
        (_loop if mode.is_loop else _fit)(workload, optimizer, mode, folder)
    finally:
        keras.config.set_dtype_policy("float32")
    weights: list[np.ndarray] = workload.model.get_weights()
    return weights


def _fit(workload: Workload, optimizer: Any, mode: Mode, folder: str | None) -> None:
    model = workload.model
    model.compile(optimizer, workload.loss, **mode.compiled)
    callbacks = [LayerHealth(folder, update_freq=EVERY)] if folder else []
    model.fit(workload.x, workload.y, batch_size=_batch(workload), shuffle=False, verbose=0, callbacks=callbacks)


def _loop(workload: Workload, optimizer: Any, mode: Mode, folder: str | None) -> None:
    model = workload.model
    model.compile(optimizer, workload.loss)
    data = workload.x if workload.y is None else _batches(workload)

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    if folder is None:
        plain = tf.function(step, **mode.compiled)
        for batch in data:
            plain(*batch)
        return
    with Recorder(folder, model, update_freq=EVERY) as recorder:
        watched = recorder.function(**mode.compiled)(step)
        for batch in data:
            watched(*batch)


def _batches(workload: Workload) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((workload.x, workload.y)).batch(BATCH)


def _batch(workload: Workload) -> int | None:
    return None if workload.y is None else BATCH


def _difference(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    largest = 0.0
    for left, right in zip(one, other, strict=True):
        if not np.array_equal(left, right, equal_nan=True):
            scale = float(np.abs(left).max())
            largest = max(largest, float(np.abs(left.astype("float64") - right).max()) / (scale or 1.0))
    return largest
