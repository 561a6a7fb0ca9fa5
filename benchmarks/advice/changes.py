"""Changes of a training that a script can make: one for each thing that an advice may say."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import keras
import numpy as np

from benchmarks.advice.parts import (
    Array,
    CappedSchedule,
    RateCap,
    initial,
    layers_called,
    mapped,
    standardized,
    with_optimizer,
)
from benchmarks.cases.base import Training

BOUNDED = ("tanh", "sigmoid", "hard_sigmoid", "softsign", "softmax", "hard_tanh")
"""Activations whose gradient is nearly zero at both ends."""

RATE_CALLBACKS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


class NotPossible(Exception):
    """A change that a script cannot make in this program; the text says why."""


@dataclasses.dataclass(frozen=True)
class Change(abc.ABC):
    """One change.

    Attributes:
        kind: its name in the tables; the control makes a random change of the same kind.
        rescales: whether losses before and after it have different scales.
    """

    kind: ClassVar[str]
    rescales: ClassVar[bool] = False

    @property
    def words(self) -> str:
        """The change in words."""
        values = [_in_words(getattr(self, field.name)) for field in dataclasses.fields(self)]
        return " ".join([self.kind, *filter(None, values)])

    @abc.abstractmethod
    def apply(self, training: Training) -> Training:
        """The changed training. It may change the model in place.

        Raises:
            NotPossible: it does not apply to this program.
        """

    def around(self) -> contextlib.AbstractContextManager[Any]:
        """Surrounds the code that builds the training."""
        return contextlib.nullcontext()


@dataclasses.dataclass(frozen=True)
class RateAtMost(Change):
    """No step has a learning rate above `rate`, whatever schedules and callbacks say."""

    rate: float

    kind: ClassVar[str] = "lower the learning rate"

    def apply(self, training: Training) -> Training:
        optimizer = _optimizer(training)
        if isinstance(optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
            capped = CappedSchedule(optimizer._learning_rate, self.rate)
            return with_optimizer(training, learning_rate=capped)
        return _with_callback(training, RateCap(self.rate))


@dataclasses.dataclass(frozen=True)
class ConstantRate(Change):
    """The learning rate is `rate` at every step; schedules and callbacks that change it are removed."""

    rate: float

    kind: ClassVar[str] = "set the learning rate"

    def apply(self, training: Training) -> Training:
        _optimizer(training)
        kept = [one for one in training.fit.get("callbacks", ()) if not isinstance(one, RATE_CALLBACKS)]
        changed = with_optimizer(training, learning_rate=self.rate)
        return dataclasses.replace(changed, fit={**training.fit, "callbacks": kept})


@dataclasses.dataclass(frozen=True)
class ClipNorm(Change):
    """Gradients are clipped to this norm, and by nothing else."""

    norm: float = 1.0

    kind: ClassVar[str] = "clip gradients"

    def apply(self, training: Training) -> Training:
        _optimizer(training)
        return with_optimizer(training, clipnorm=self.norm, clipvalue=None, global_clipnorm=None)


@dataclasses.dataclass(frozen=True)
class Initialize(Change):
    """The weights of these layers start over: He for ReLU and its relatives, Glorot for others, biases at zero.

    Attributes:
        layers: names; empty for all layers with weights.
        gain: factor of the usual size of kernels; other than 1 only for controls.
    """

    layers: tuple[str, ...] = ()
    gain: float = 1.0

    kind: ClassVar[str] = "initialize weights"

    @property
    def words(self) -> str:
        size = f" at {self.gain:.3g} times the usual size" if self.gain != 1 else ""
        return f"{self.kind} {_in_words(self.layers)}{size}"

    def apply(self, training: Training) -> Training:
        for layer in layers_called(training, self.layers):
            for weight in layer.weights:
                value = initial(layer, weight)
                if value is not None:
                    weight.assign(self.gain * value)
        return training


@dataclasses.dataclass(frozen=True)
class Activation(Change):
    """Layers get another activation.

    Attributes:
        to: name of the activation.
        layers: names; empty for all hidden layers with a bounded activation.
    """

    to: str
    layers: tuple[str, ...] = ()

    kind: ClassVar[str] = "change activations"

    def apply(self, training: Training) -> Training:
        chosen = layers_called(training, self.layers) if self.layers else _hidden_bounded(training)
        changed = [layer for layer in chosen if _set_activation(layer, self.to)]
        if not changed:
            raise NotPossible("no layer has an activation that can be exchanged")
        return training


@dataclasses.dataclass(frozen=True)
class ClassAxis(Change):
    """Softmax layers sum to 1 over the classes."""

    layers: tuple[str, ...]

    kind: ClassVar[str] = "give the axis of the classes"

    def apply(self, training: Training) -> Training:
        chosen = [one for one in layers_called(training, self.layers) if isinstance(one, keras.layers.Softmax)]
        if not chosen:
            raise NotPossible("the axis is code")
        for layer in chosen:
            layer.axis = -1
        return training


@dataclasses.dataclass(frozen=True)
class StandardizeInputs(Change):
    """Every floating-point input gets mean 0 and deviation 1, in tables and sequences each feature by itself."""

    kind: ClassVar[str] = "standardize the inputs"

    def apply(self, training: Training) -> Training:
        _check_plain(training)
        changed = mapped(standardized, training.x)
        if all(one is other for one, other in zip(*map(keras.tree.flatten, (changed, training.x)), strict=True)):
            raise NotPossible("the inputs are numbers of words")
        return dataclasses.replace(training, x=changed)


@dataclasses.dataclass(frozen=True)
class StandardizeTargets(Change):
    """Every floating-point target gets mean 0 and deviation 1."""

    kind: ClassVar[str] = "standardize the targets"
    rescales: ClassVar[bool] = True

    def apply(self, training: Training) -> Training:
        _check_plain(training)
        if not _is_floating(training.y):
            raise NotPossible("the targets are no floating-point array")
        return dataclasses.replace(training, y=standardized(training.y))


@dataclasses.dataclass(frozen=True)
class TargetsBetween(Change):
    """Targets are scaled linearly to this range."""

    low: float
    high: float

    kind: ClassVar[str] = "scale the targets to the head"
    rescales: ClassVar[bool] = True

    def apply(self, training: Training) -> Training:
        _check_plain(training)
        if not _is_floating(training.y):
            raise NotPossible("the targets are no floating-point array")
        least, most = training.y.min(), training.y.max()
        scaled = self.low + (self.high - self.low) * (training.y - least) / (most - least)
        return dataclasses.replace(training, y=scaled.astype("float32"))


@dataclasses.dataclass(frozen=True)
class Scale(Change):
    """Inputs or targets are multiplied by a number; only for controls."""

    factor: float
    of_targets: bool

    kind: ClassVar[str] = "scale data"
    rescales: ClassVar[bool] = True

    def apply(self, training: Training) -> Training:
        _check_plain(training)

        def scaled(array: Array) -> Array:
            return (self.factor * array).astype("float32") if array.dtype.kind == "f" else array

        if self.of_targets:
            return dataclasses.replace(training, y=mapped(scaled, training.y))
        return dataclasses.replace(training, x=mapped(scaled, training.x))


@dataclasses.dataclass(frozen=True)
class LabelsFromZero(Change):
    """Class numbers are counted from 0."""

    kind: ClassVar[str] = "number the classes"

    def apply(self, training: Training) -> Training:
        _check_plain(training)
        return dataclasses.replace(training, y=training.y - training.y.min())


@dataclasses.dataclass(frozen=True)
class CleanData(Change):
    """Rows with NaN or infinity are dropped; where that leaves less than half of them, such values become 0."""

    kind: ClassVar[str] = "drop or fill values that are not finite"

    def apply(self, training: Training) -> Training:
        _check_plain(training)
        flat = [one for one in keras.tree.flatten([training.x, training.y]) if isinstance(one, np.ndarray)]
        is_good = np.logical_and.reduce([np.isfinite(one.reshape(len(one), -1)).all(1) for one in flat])
        if is_good.all():
            raise NotPossible("all data are finite")
        if is_good.mean() < 0.5:
            return self._mapped(training, lambda array: np.nan_to_num(array, posinf=0, neginf=0))
        return self._mapped(training, lambda array: array[is_good])

    @staticmethod
    def _mapped(training: Training, change: Callable[[Array], Array]) -> Training:
        return dataclasses.replace(training, x=mapped(change, training.x), y=mapped(change, training.y))


@dataclasses.dataclass(frozen=True)
class NoPenalty(Change):
    """Kernels and outputs have no penalty."""

    layers: tuple[str, ...] = ()

    kind: ClassVar[str] = "remove penalties"

    def apply(self, training: Training) -> Training:
        changed = False
        for layer in layers_called(training, self.layers):
            for name in ("kernel_regularizer", "activity_regularizer", "bias_regularizer"):
                changed |= getattr(layer, name, None) is not None
                if hasattr(layer, name):
                    setattr(layer, name, None)
            for weight in layer.weights:
                weight.regularizer = None
        if not changed:
            raise NotPossible("no layer has a penalty")
        return training


@dataclasses.dataclass(frozen=True)
class SinglePrecision(Change):
    """The program keeps weights and computes in float32."""

    kind: ClassVar[str] = "use float32"

    def apply(self, training: Training) -> Training:
        return training

    @contextlib.contextmanager
    def around(self) -> Iterator[None]:
        given = keras.mixed_precision.set_dtype_policy
        keras.mixed_precision.set_dtype_policy = lambda policy: given("float32")
        try:
            yield
        finally:
            keras.mixed_precision.set_dtype_policy = given


def build(make: Callable[[], Training], changes: tuple[Change, ...]) -> Training:
    """The program, with all changes in their order.

    Raises:
        NotPossible: one of them does not apply.
    """
    with contextlib.ExitStack() as stack:
        for change in changes:
            stack.enter_context(change.around())
        training = make()
    for change in changes:
        training = change.apply(training)
    return training


def _in_words(value: object) -> str:
    if isinstance(value, tuple):
        return f"of {', '.join(value)}" if value else "of all layers"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _optimizer(training: Training) -> Any:
    optimizer = getattr(training.model, "optimizer", None)
    if optimizer is None or not hasattr(optimizer, "get_config"):
        raise NotPossible("the program has no single optimizer")
    return getattr(optimizer, "inner_optimizer", optimizer)


def _with_callback(training: Training, callback: keras.callbacks.Callback) -> Training:
    return dataclasses.replace(
        training, fit={**training.fit, "callbacks": [*training.fit.get("callbacks", ()), callback]}
    )


def _check_plain(training: Training) -> None:
    if training.views:
        raise NotPossible("the program computes its loss from the data by itself")


def _is_floating(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def _hidden_bounded(training: Training) -> list[Any]:
    heads = {tensor._keras_history.operation.name for tensor in training.model.outputs}
    names = (getattr(getattr(layer, "activation", None), "__name__", "") for layer in layers_called(training, ()))
    return [
        layer
        for layer, name in zip(layers_called(training, ()), names, strict=True)
        if name in BOUNDED and layer.name not in heads
    ]


def _set_activation(layer: Any, to: str) -> bool:
    """Whether the layer had an activation that could be exchanged."""
    if isinstance(layer, keras.layers.ReLU | keras.layers.LeakyReLU) and to in ("relu", "leaky_relu"):
        layer.negative_slope = 0.0 if to == "relu" else 0.2
        return True
    holder = getattr(layer, "cell", layer)
    if not hasattr(holder, "activation") or isinstance(layer, keras.layers.Softmax):
        return False
    holder.activation = keras.activations.get(to)
    return True
