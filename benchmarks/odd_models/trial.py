"""Tries one description: trains without and with observing, and compares everything that must be the same."""

from __future__ import annotations

import dataclasses
import logging
import os
import random
import tempfile
import time
import traceback
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.odd_models import keeping
from benchmarks.odd_models.compiling import compile_model
from benchmarks.odd_models.description import LOOPS, Description, describe
from benchmarks.odd_models.fitting import Fitting
from benchmarks.odd_models.loops import train_in_a_loop
from benchmarks.odd_models.samples import make_samples
from benchmarks.odd_models.structures import make_model
from tb_activations import LayerHealth, load

Values = dict[str, np.ndarray]

ROUNDING = 0.02
"""Largest difference, relative to the largest value, that can be rounding: half precision adds up over some steps."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of a trial.

    Attributes:
        description: what was trained, in words.
        complaints: faults, one per line: an error, a difference, no record.
        notices: log messages that are not findings.
        rounded: differences only because TensorFlow's graph optimizer merges operations that are not observed: without
            the optimizer everything is the same.
        not_observed: layers without statistics.
        records: recorded steps.
    """

    seed: int
    description: str
    complaints: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    rounded: str = ""
    not_observed: tuple[str, ...] = ()
    records: int = 0
    seconds: float = 0.0


def run_trial(seed: int) -> Outcome:
    """Tries the description of this number."""
    began, described = time.perf_counter(), describe(seed)
    outcome = Outcome(seed, str(described))
    try:
        plain = train(described, None)
    except Exception as error:
        # This folder is at fault, not the package.
        return dataclasses.replace(outcome, complaints=(f"does not train unobserved: {_gist(error)}",))
    notices = _Notices()
    logger = logging.getLogger("tb_activations")
    logger.addHandler(notices)
    try:
        with tempfile.TemporaryDirectory() as folder:
            try:
                watched = train(described, folder)
            except Exception as error:
                complaint = f"ended with an error: {_gist(error)}"
                return dataclasses.replace(outcome, complaints=(complaint,), notices=tuple(notices.log))
            outcome = _with_record(outcome, folder)
    finally:
        logger.removeHandler(notices)
    if told := differences(plain, watched):
        outcome = _with_difference(outcome, described, told, distance(plain, watched))
    seconds = time.perf_counter() - began
    return dataclasses.replace(outcome, notices=tuple(dict.fromkeys(notices.log)), seconds=seconds)


def train(described: Description, folder: str | None) -> Values:
    """Trains from scratch, observed if there is a folder; returns all resulting values by name."""
    keeping.forget()
    keras.utils.clear_session()
    keras.utils.set_random_seed(described.seed)
    keras.config.set_dtype_policy(described.policy)
    try:
        model, samples = make_model(described), make_samples(described)
        _add_losses(model, described)
        with tempfile.TemporaryDirectory() as own_folder:
            if described.way in LOOPS:
                optimizer, losses = train_in_a_loop(model, samples, described, folder)
                optimizers = [optimizer]
            else:
                compile_model(model, described)
                callbacks = [LayerHealth(folder)] if folder is not None else []
                losses = Fitting(model, samples, described, callbacks, own_folder).train()
                optimizers = [model.optimizer, getattr(model, "own", None), getattr(model, "other", None)]
    finally:
        keras.config.set_dtype_policy("float32")
    return _values(model, [optimizer for optimizer in optimizers if optimizer is not None], losses)


def differences(one: Values, other: Values) -> list[str]:
    """What is not bit-identical: how much, and the first by name."""
    if one.keys() != other.keys():
        return [f"other variables: {sorted(one.keys() ^ other.keys())[:4]}"]
    off = [name for name in one if not np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f")]
    if not off:
        return []
    largest = max(_relative(one[name], other[name]) for name in off)
    return [f"{len(off)} of {len(one)} values differ, by up to {largest:.1e} of the largest: {', '.join(off[:3])}"]


class _Notices(logging.Handler):
    """Collects log messages that are not findings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.log: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if not message.startswith("Layer health, "):
            self.log.append(message)


def _add_losses(model: Any, described: Description) -> None:
    if described.loss == "regularizers":
        for layer in model._flatten_layers():
            # Recurrent layers only read that of their cell.
            is_own = not isinstance(getattr(type(layer), "kernel_regularizer", None), property)
            if is_own and hasattr(layer, "kernel_regularizer") and not layer.built:
                layer.kernel_regularizer = keras.regularizers.L2(1e-3)
            elif isinstance(layer, keras.layers.Dense) and described.policy == "float32":
                layer.activity_regularizer = keras.regularizers.L1(1e-3)


def distance(one: Values, other: Values) -> float:
    """The largest difference of a value relative to its largest element; infinite if the values are others."""
    if one.keys() != other.keys():
        return float("inf")
    return max((_relative(one[name], other[name]) for name in one if one[name].dtype.kind == "f"), default=0.0)


def _with_difference(outcome: Outcome, described: Description, told: list[str], farthest: float) -> Outcome:
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        with tempfile.TemporaryDirectory() as folder:
            apart, again = train(described, None), train(described, None)
            is_of_merging = not differences(apart, train(described, folder))
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
    if is_of_merging and farthest <= ROUNDING:
        return dataclasses.replace(outcome, rounded="; ".join(told))
    if differences(apart, again):
        told = [*told, "it differs from itself, too, trained twice without observing"]
    return dataclasses.replace(outcome, complaints=(*outcome.complaints, *told))


def _with_record(outcome: Outcome, folder: str) -> Outcome:
    folders = [name for name in os.listdir(folder) if os.path.isdir(os.path.join(folder, name))]
    more = (f"folders inside the folder: {folders}",) if folders else ()
    try:
        run = load(folder)
    except Exception as error:
        return dataclasses.replace(outcome, complaints=(f"no record: {_gist(error)}", *more))
    missing = tuple(layer.name for layer in run.spec.layers if layer.not_observed)
    if not len(run.steps):
        more = ("no record in the run", *more)
    return dataclasses.replace(outcome, complaints=more, not_observed=missing, records=len(run.steps))


def _values(model: Any, optimizers: list[Any], losses: list[float]) -> Values:
    values = {f"{index} {variable.path}": np.asarray(variable) for index, variable in enumerate(model.variables)}
    for number, optimizer in enumerate(optimizers):
        for index, variable in enumerate(optimizer.variables):
            values[f"optimizer {number} {index} {variable.path}"] = np.asarray(variable)
    values |= {f"kept {index}": value for index, value in enumerate(keeping.all_kept())}
    values["losses"] = np.array(losses)
    # One random number more or less would change everything trained afterwards.
    values["random.random"] = np.array(random.random())
    values["numpy.random"] = np.array(np.random.random())  # noqa: NPY002
    return {name: value.astype("float64") if value.dtype.kind == "V" else value for name, value in values.items()}


def _relative(one: np.ndarray, other: np.ndarray) -> float:
    if one.shape != other.shape:
        return float("inf")
    scale = float(np.abs(one.astype("float64")).max()) or 1.0
    return float(np.abs(one.astype("float64") - other.astype("float64")).max()) / scale


def _gist(error: Exception) -> str:
    """Type, start of the message, and the last line of code of Keras, of the package or of this folder."""
    frames = [
        f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)
    ]
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]} ({', '.join(frames[-3:])})"
