"""Layers that keep state in every possible place; each call changes the state and uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

WIDTH = 6


def mean_variable() -> tf.Variable:
    return tf.Variable(tf.zeros(WIDTH), trainable=False)


class Keeps(layers.Layer):
    """Subtracts a moving average of its inputs, updated by calls in training mode."""

    def make(self) -> None:
        """Makes the state."""

    def place(self) -> tf.Variable:
        """The variable that holds the average."""
        raise NotImplementedError

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.make()

    def call(self, x: Any, training: bool = False) -> Any:
        average = self.place()
        if training:
            average.assign(0.9 * average + 0.1 * tf.reduce_mean(x, axis=0))
        return x - average

    def compute_output_spec(self, x: Any, training: bool = False) -> Any:
        return keras.KerasTensor(x.shape, x.dtype)


class Attribute(Keeps):
    def make(self) -> None:
        self.average = mean_variable()

    def place(self) -> tf.Variable:
        return self.average


class InDict(Keeps):
    def make(self) -> None:
        self.state = {"average": {"inner": mean_variable()}}

    def place(self) -> tf.Variable:
        return self.state["average"]["inner"]


class InNestedList(Keeps):
    def make(self) -> None:
        self.state = [[mean_variable()]]

    def place(self) -> tf.Variable:
        return self.state[0][0]


class InTuple(Keeps):
    def make(self) -> None:
        self.state = (("name", mean_variable()),)

    def place(self) -> tf.Variable:
        return self.state[0][1]


class Average(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.value = mean_variable()


class InModule(Keeps):
    def make(self) -> None:
        self.average = Average()

    def place(self) -> tf.Variable:
        return self.average.value


OF_THE_MODULE: dict[str, tf.Variable] = {}


class InModuleVariable(Keeps):
    def make(self) -> None:
        OF_THE_MODULE["average"] = mean_variable()

    def place(self) -> tf.Variable:
        return OF_THE_MODULE["average"]


class InClosure(Keeps):
    def make(self) -> None:
        average = mean_variable()
        self.find: Callable[[], tf.Variable] = lambda: average

    def place(self) -> tf.Variable:
        return self.find()


class OfTheClass(Keeps):
    average: tf.Variable

    def make(self) -> None:
        type(self).average = mean_variable()

    def place(self) -> tf.Variable:
        return self.average


OTHER_MODELS: list[keras.Model] = []


class InOtherModel(Keeps):
    """The average is a weight of a model unrelated to the trained one."""

    def make(self) -> None:
        other = keras.Sequential([layers.Input((2,)), layers.Dense(WIDTH, name="other")])
        OTHER_MODELS[:] = [other]

    def place(self) -> tf.Variable:
        variable: tf.Variable = OTHER_MODELS[0].weights[1].value
        return variable


class InSlots(Keeps):
    """The average is in an object without `__dict__` that is not a module."""

    class Holder:
        __slots__ = ("average",)

    def make(self) -> None:
        self.holder = InSlots.Holder()
        self.holder.average = mean_variable()  # type: ignore[attr-defined]

    def place(self) -> tf.Variable:
        variable: tf.Variable = self.holder.average  # type: ignore[attr-defined]
        return variable


class InFunction(Keeps):
    """A separate compiled function writes the average."""

    def make(self) -> None:
        average = mean_variable()
        self.find: Callable[[], tf.Variable] = lambda: average
        self.move = tf.function(lambda x: average.assign(0.9 * average + 0.1 * tf.reduce_mean(x, axis=0)))

    def call(self, x: Any, training: bool = False) -> Any:
        if training:
            self.move(x)
        return x - self.find()


class InExponentialAverage(Keeps):
    """TensorFlow's own moving average, of a variable elsewhere."""

    def make(self) -> None:
        self.latest = {"value": mean_variable()}
        self.averages = tf.train.ExponentialMovingAverage(0.9)
        self.averages.apply([self.latest["value"]])

    def call(self, x: Any, training: bool = False) -> Any:
        latest = self.latest["value"]
        if training:
            latest.assign(tf.reduce_mean(x, axis=0))
            self.averages.apply([latest])
        return x - self.averages.average(latest)


class InMetric(Keeps):
    """Scales by the count of a metric, which its calls update in every mode."""

    def make(self) -> None:
        self.parts = {"metric": keras.metrics.Mean()}

    def call(self, x: Any, training: bool = False) -> Any:
        metric = self.parts["metric"]
        metric.update_state(tf.abs(x))
        return x / (1 + metric.result())


class InGenerator(Keeps):
    """Draws from a generator in a dict, in every mode."""

    def make(self) -> None:
        self.draws = {"generator": tf.random.Generator.from_seed(5)}

    def call(self, x: Any, training: bool = False) -> Any:
        return x + 0.1 * self.draws["generator"].normal(tf.shape(x))


class InSeedGenerator(Keeps):
    def make(self) -> None:
        self.draws = {"generator": keras.random.SeedGenerator(5)}

    def call(self, x: Any, training: bool = False) -> Any:
        return x + 0.1 * keras.random.normal(tf.shape(x), seed=self.draws["generator"])


class OnlyInEagerCode(Keeps):
    """Updates its average only in eager calls, which no trace shows."""

    def make(self) -> None:
        self.state = {"average": mean_variable()}

    def place(self) -> tf.Variable:
        return self.state["average"]

    def call(self, x: Any, training: bool = False) -> Any:
        average = self.place()
        if tf.executing_eagerly():
            average.assign_add(tf.ones(WIDTH))
        return x - 0.1 * average


class InPythonFunction(Keeps):
    """Scales by how often a Python function was called."""

    def make(self) -> None:
        count = [0]
        self.calls: Callable[[], list[int]] = lambda: count

    def call(self, x: Any, training: bool = False) -> Any:
        if not training:
            return x

        def count(_: Any) -> Any:
            counted = self.calls()
            counted[0] += 1
            return np.float32(counted[0] / 50)

        factor = tf.numpy_function(count, [0.0], tf.float32)
        factor.set_shape([])
        return x * (1 + factor)


class InTable(Keeps):
    """Counts its calls in a table, in every mode."""

    def make(self) -> None:
        self.parts = {"table": tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)}

    def call(self, x: Any, training: bool = False) -> Any:
        table, key = self.parts["table"], tf.constant([1], tf.int64)
        count = table.lookup(key) + 1
        with tf.control_dependencies([table.insert(key, count)]):
            return x * (1 + tf.reshape(count, [1, 1]) / 50)


class InQueue(Keeps):
    """Keeps its count in a queue."""

    def make(self) -> None:
        self.parts = {"queue": tf.queue.FIFOQueue(4, [tf.float32], [()])}
        self.parts["queue"].enqueue(0.0)

    def call(self, x: Any, training: bool = False) -> Any:
        queue = self.parts["queue"]
        count = queue.dequeue()
        with tf.control_dependencies([queue.enqueue(count + 1)]):
            return x * (1 + count / 50)


class InPython(Keeps):
    """A plain Python counter, incremented by every eager call."""

    def make(self) -> None:
        self.count = 0

    def call(self, x: Any, training: bool = False) -> Any:
        self.count += 1
        return x * (1 + self.count / 50)


def recurrent() -> Callable[[Any], Any]:
    shape, rnn = layers.Reshape((2, WIDTH // 2)), layers.GRU(WIDTH, stateful=True, name="recurrent")
    return lambda h: rnn(shape(h))


RESTORED: dict[str, Callable[[], Callable[[Any], Any]]] = {
    kind.__name__: kind
    for kind in (
        Attribute,
        InDict,
        InNestedList,
        InTuple,
        InModule,
        InModuleVariable,
        InClosure,
        OfTheClass,
        InOtherModel,
        InSlots,
        InFunction,
        InExponentialAverage,
        InMetric,
        InGenerator,
        InSeedGenerator,
        OnlyInEagerCode,
    )
} | {
    "StatefulRNN": recurrent,
    "BatchNormalization": layers.BatchNormalization,
    "Dropout": lambda: layers.Dropout(0.3, seed=4),
    "GaussianNoise": lambda: layers.GaussianNoise(0.1),
}
"""State in variables, restored after a snapshot."""

SKIPPED: dict[str, tuple[Callable[..., Callable[[Any], Any]], str]] = {
    "InPythonFunction": (InPythonFunction, "PyFunc"),
    "InTable": (InTable, "LookupTableInsertV2"),
    "InQueue": (InQueue, "QueueEnqueueV2"),
}
"""State that cannot be restored, with the operation that changes it: the model has no snapshots."""


def stateful(make: Callable[[], Callable[[Any], Any]], *, eagerly: bool = False) -> keras.Model:
    """A small network with this state between two layers."""
    inputs = layers.Input((4,), batch_size=16)
    h = layers.Dense(WIDTH, "tanh", name="before")(inputs)
    h = make()(h)
    model = keras.Model(inputs, layers.Dense(1, name="after")(h))
    model.compile(keras.optimizers.SGD(0.01, use_ema=True), "mse", jit_compile=False, run_eagerly=eagerly)
    return model
