"""Trainings of models that keep state everywhere are bit-identical with and without snapshots."""

from __future__ import annotations

import functools
import gc
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tb_activations import LayerHealth, load, probe
from tb_activations.probe.side_effects import side_effects
from tb_activations.probe.state import preserved
from tests.snapshots.stateful import RESTORED, SKIPPED, InDict, InPython, InTable, Keeps, stateful
from tests.thorough import mostly

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

Array = np.ndarray[Any, Any]
Make = Callable[[], Callable[[Any], Any]]
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(64, 4)).astype("float32")
Y = X[:, :1] * 2


def trained(make: Make, callbacks: list[Any], *, eagerly: bool = False) -> list[Array]:
    """Weights and optimizer state after a training from a fixed seed."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)
    model = stateful(make, eagerly=eagerly)
    model.fit(X, Y, batch_size=16, epochs=2, shuffle=False, verbose=0, callbacks=callbacks)
    return [variable.numpy() for variable in [*model.variables, *model.optimizer.variables]]


def is_same(one: list[Array], other: list[Array]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def watching(folder: Path, **arguments: Any) -> LayerHealth:
    """Takes a snapshot after every epoch; with samples, every part of it."""
    return LayerHealth(folder, update_freq=2, image_freq="epoch", **arguments)


def in_a_row(*names: str) -> Callable[[Any], Any]:
    """All these kinds of state in one model, one after another."""
    parts = [RESTORED[name]() for name in names]
    return lambda h: functools.reduce(lambda so_far, part: part(so_far), parts, h)


GROUPS = [list(RESTORED)[start::4] for start in range(4)]


@functools.cache
def plainly(*names: str) -> list[Array]:
    """What these kinds train to without the callback."""
    return trained(SKIPPED[names[0]][0] if names[0] in SKIPPED else functools.partial(in_a_row, *names), [])


@pytest.mark.parametrize("names", [*GROUPS, *([name] for name in SKIPPED)], ids="+".join)
def test_watched_or_not(names: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make, operation = SKIPPED.get(names[0], (functools.partial(in_a_row, *names), ""))
    plain = plainly(*names)
    with caplog.at_level(logging.WARNING, "tb_activations"):
        watched = trained(make, [watching(tmp_path / "watched", probe_data=(X[:16], Y[:16]))])
    assert is_same(plain, watched)
    warnings = [
        record.message for record in caplog.records if "would have side effects on the training" in record.message
    ]
    looked = np.isfinite(load(tmp_path / "watched").stat("mode_difference")).any()
    assert looked == (not operation)
    assert len(warnings) == bool(operation)
    assert all(f"operation {operation}" in message for message in warnings)


@pytest.mark.parametrize("group", mostly(range(len(GROUPS)), (0,)))
def test_with_the_defaults(group: int, tmp_path: Path) -> None:
    make = functools.partial(in_a_row, *GROUPS[group])
    assert is_same(plainly(*GROUPS[group]), trained(make, [LayerHealth(tmp_path)]))


@pytest.mark.parametrize("name", ["InPythonFunction", "InTable"])
def test_the_warning_names_the_layer(name: str) -> None:
    make, operation = SKIPPED[name]
    model = stateful(lambda: make(name="odd"))
    assert f"operation {operation} of layer 'odd'" in map(str, side_effects(model, tf.constant(X[:16])))


def test_a_python_counter_counts_steps_alone_without_probe_data(tmp_path: Path) -> None:
    plain = trained(InPython, [], eagerly=True)
    assert is_same(plain, trained(InPython, [watching(tmp_path / "default")], eagerly=True))
    # The documentation of `probe_data` names this exception.
    assert not is_same(plain, trained(InPython, [watching(tmp_path / "watched", probe_data=X[:16])], eagerly=True))


class SeededDraw(Keeps):
    """Sets a seed: eager code then counts the draws internally."""

    def call(self, x: Any, training: bool = False) -> Any:
        return x + 0.1 * tf.random.normal(tf.shape(x), seed=7)


def test_seeded_draws_of_eager_training_are_unchanged(tmp_path: Path) -> None:
    plain = trained(SeededDraw, [], eagerly=True)
    assert is_same(plain, trained(SeededDraw, [watching(tmp_path, probe_data=X[:16])], eagerly=True))
    assert side_effects(stateful(SeededDraw), tf.constant(X[:16])) == []


class Nested(Keeps):
    """The operation is in a function within a condition within a loop."""

    def call(self, x: Any, training: bool = False) -> Any:
        @tf.function  # type: ignore[untyped-decorator]
        def inner(value: Any) -> Any:
            passed = tf.numpy_function(lambda part: part, [value], tf.float32)
            passed.set_shape(value.shape)
            return passed

        def step(count: Any, value: Any) -> tuple[Any, Any]:
            return count + 1, tf.cond(count > 0, lambda: inner(value), lambda: value)

        return tf.while_loop(lambda count, value: count < 2, step, [0, x])[1]


class BackwardOnly(Keeps):
    """The operation is in a gradient."""

    def call(self, x: Any, training: bool = False) -> Any:
        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def identity(value: Any) -> tuple[Any, Any]:
            return tf.identity(value), lambda by: tf.ensure_shape(
                tf.numpy_function(lambda part: part, [by], tf.float32), by.shape
            )

        return identity(x)


def test_side_effects_in_inner_functions_and_gradients_are_found() -> None:
    x = tf.constant(X[:16])
    assert "operation PyFunc" in side_effects(stateful(Nested), x)[0].what
    assert side_effects(stateful(BackwardOnly), x) == []
    assert "operation PyFunc" in side_effects(stateful(BackwardOnly), x, with_gradient=True)[0].what


class Harmless(Keeps):
    """Stateful operations without a persistent effect."""

    def make(self) -> None:
        keys = tf.lookup.KeyValueTensorInitializer(tf.range(3, dtype=tf.int64), tf.range(3.0))
        self.parts = {"table": tf.lookup.StaticHashTable(keys, 0.0)}

    def call(self, x: Any, training: bool = False) -> Any:
        tf.debugging.assert_all_finite(x, "finite")
        tf.debugging.Assert(tf.reduce_max(x) < 1e9, [x])
        h = x + self.parts["table"].lookup(tf.constant([1], tf.int64)) + tf.random.normal(tf.shape(x))
        passed = tf.numpy_function(lambda part: part, [h], tf.float32, stateful=False)
        passed.set_shape(h.shape)
        return passed


def test_operations_without_a_persistent_effect_are_no_side_effect() -> None:
    assert side_effects(stateful(Harmless), tf.constant(X[:16])) == []


def test_a_hidden_variable_is_a_side_effect() -> None:
    model = stateful(InDict)
    assert side_effects(model, tf.constant(X[:16])) == []
    # Nothing is unfrozen: that would also bring back the libraries and all that earlier tests left, millions of objects
    # that every later search for variables would go through.
    gc.freeze()
    found = side_effects(model, tf.constant(X[:16]))
    assert [effect.what for effect in found] == ["a variable unknown to the garbage collector"]


@pytest.mark.parametrize("name", RESTORED)
def test_probe_changes_no_variable(name: str) -> None:
    keras.utils.set_random_seed(0)
    model, x = stateful(RESTORED[name]), X[:32]
    model(x[:16], training=True)
    first = probe.compare_modes(model, x, batch_size=16)
    probe.activations(model, x, training=True, batch_size=16)
    probe.gradients(model, x[:16], y=Y[:16], training=True)
    assert probe.compare_modes(model, x, batch_size=16) == first


def test_nested_blocks_restore_the_values_from_their_beginning() -> None:
    layer = InDict()
    variable, other = layer.place(), tf.Variable(1.0)
    with preserved(layer):
        variable.assign_add(tf.ones(6))

        def fail() -> None:
            with preserved(layer):
                variable.assign_add(tf.ones(6))
                other.assign(5.0)
                raise RuntimeError("within")

        with pytest.raises(RuntimeError, match="within"):
            fail()
        assert (variable.numpy()[0], other.numpy()) == (1.0, 1.0)
        other.assign(2.0)
    assert (variable.numpy()[0], other.numpy()) == (0.0, 1.0)


def test_writes_of_other_threads_are_kept() -> None:
    """As when two models train at once, or a data pipeline counts."""
    of_this_thread, of_another = tf.Variable(0.0), tf.Variable(0.0)
    with preserved(InDict()):
        of_this_thread.assign(1.0)
        thread = threading.Thread(target=lambda: of_another.assign(1.0))
        thread.start()
        thread.join()
    assert (of_this_thread.numpy(), of_another.numpy()) == (0.0, 1.0)


def test_finding_a_side_effect_does_not_cause_it() -> None:
    """The trace that finds the table's operation does not run it."""
    layer = InTable()
    model = stateful(lambda: layer)
    table = layer.parts["table"]
    before = float(table.lookup(tf.constant(1, tf.int64)))
    assert side_effects(model, tf.constant(X[:16]))
    assert float(table.lookup(tf.constant(1, tf.int64))) == before
