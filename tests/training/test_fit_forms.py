"""`fit` in every form: the same weights as without the callback, a complete run, nothing left on the model."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations import LayerHealth, load
from tests.training.models import digits

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

BATCH = 32
STEPS = 8
X, Y = digits(BATCH * STEPS)
X = X.reshape(len(X), 64)
Callbacks = list[keras.callbacks.Callback]


def make(**compile_arguments: Any) -> keras.Model:
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(12, "relu", name="hidden"),
            layers.Dropout(0.2, name="dropout"),
            layers.Dense(10, name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, **({"jit_compile": False} | compile_arguments))
    return model


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        part = slice(index * BATCH, (index + 1) * BATCH)
        return X[part], Y[part]


def generated() -> Iterator[tuple[Any, Any]]:
    for index in range(2 * STEPS):
        yield Batches(workers=1)[index % STEPS]


def dataset() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(BATCH)


FORMS: dict[str, Callable[[keras.Model, Callbacks], Any]] = {
    "arrays": lambda model, callbacks: model.fit(
        X, Y, batch_size=BATCH, epochs=2, shuffle=False, verbose=0, callbacks=callbacks
    ),
    "a last batch that is smaller": lambda model, callbacks: model.fit(
        X[:-9], Y[:-9], batch_size=BATCH, epochs=2, shuffle=False, verbose=0, callbacks=callbacks
    ),
    "tf.data": lambda model, callbacks: model.fit(dataset(), epochs=2, shuffle=False, verbose=0, callbacks=callbacks),
    "tf.data without end": lambda model, callbacks: model.fit(
        dataset().repeat(), epochs=2, steps_per_epoch=STEPS, shuffle=False, verbose=0, callbacks=callbacks
    ),
    "generator": lambda model, callbacks: model.fit(
        generated(), epochs=2, steps_per_epoch=STEPS, shuffle=False, verbose=0, callbacks=callbacks
    ),
    "PyDataset": lambda model, callbacks: model.fit(
        Batches(workers=1), epochs=2, shuffle=False, verbose=0, callbacks=callbacks
    ),
    "validation": lambda model, callbacks: model.fit(
        X,
        Y,
        batch_size=BATCH,
        epochs=2,
        validation_data=(X[:64], Y[:64]),
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    ),
    "class weights": lambda model, callbacks: model.fit(
        X,
        Y,
        batch_size=BATCH,
        epochs=2,
        class_weight={digit: 1.0 + digit for digit in range(10)},
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    ),
}


OTHER_STEPS = ("a last batch that is smaller", "class weights")
"""Forms whose steps are not those of "arrays"; all others train on the same batches in the same order."""


@functools.cache
def plain(form: str) -> keras.Model:
    """The model after this form without the callback."""
    FORMS[form](model := make(), [])
    return model


def assert_same(one: keras.Model, other: keras.Model) -> None:
    for left, right in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("form", list(FORMS))
def test_every_form_of_fit(form: str, tmp_path: Path) -> None:
    alone = plain(form if form in OTHER_STEPS else "arrays")
    FORMS[form](watched := make(), [LayerHealth(tmp_path / "run", update_freq=3)])
    assert_same(alone, watched)
    run = load(str(tmp_path / "run"))
    assert run.steps.tolist() == list(range(0, 2 * STEPS, 3))
    assert np.isfinite(run.stat("mean")).all()
    assert run.step_stat("epoch").tolist() == [0, 0, 0, 1, 1, 1]


def train_on_batches(model: keras.Model) -> None:
    for index in range(STEPS):
        model.train_on_batch(X[index * BATCH : (index + 1) * BATCH], Y[index * BATCH : (index + 1) * BATCH])


def test_train_on_batch_between_fits(tmp_path: Path) -> None:
    alone = make()
    FORMS["arrays"](alone, [])
    train_on_batches(alone)
    FORMS["arrays"](alone, [])
    watched = make()
    callback = LayerHealth(tmp_path / "run", update_freq=3)
    FORMS["arrays"](watched, [callback])
    train_on_batches(watched)
    FORMS["arrays"](watched, [callback])
    assert_same(alone, watched)
    # The second `fit` begins after 16 steps of the first and 8 without the callback.
    steps = load(str(tmp_path / "run")).steps
    assert steps.tolist() == [*range(0, 16, 3), *range(24, 40, 3)]


def interrupted(error: type[BaseException], callbacks: Callbacks) -> keras.Model:
    """Trained from the beginning again, after an error in its fifth step."""

    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 4:
                raise error

    model = make()
    with pytest.raises(error):
        FORMS["arrays"](model, [*callbacks, Interrupt()])
    FORMS["arrays"](model, callbacks)
    return model


@functools.cache
def interrupted_alone() -> keras.Model:
    return interrupted(RuntimeError, [])


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_fit_is_started_again(error: type[BaseException], tmp_path: Path) -> None:
    watched = interrupted(error, [LayerHealth(tmp_path / "run", update_freq=1)])
    assert_same(interrupted_alone(), watched)
    assert load(str(tmp_path / "run")).steps.tolist() == list(range(5 + 16))
    assert_nothing_left(watched)


def test_an_interrupted_model_is_left_when_another_is_trained(tmp_path: Path) -> None:
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            raise KeyboardInterrupt

    left, callback = make(), LayerHealth(tmp_path / "run", update_freq=1)
    with pytest.raises(KeyboardInterrupt):
        FORMS["arrays"](left, [callback, Interrupt()])
    FORMS["arrays"](make(), [callback])
    assert_nothing_left(left)


def test_compile_in_between_with_a_layer_frozen(tmp_path: Path) -> None:
    def run(callbacks: Callbacks) -> keras.Model:
        model = make()
        FORMS["arrays"](model, callbacks)
        model.get_layer("hidden").trainable = False
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
        FORMS["arrays"](model, callbacks)
        return model

    assert_same(run([]), run([LayerHealth(tmp_path / "run", update_freq=4)]))
    recorded = load(str(tmp_path / "run"))
    # The optimizer counts from 0 again; the run continues after its 16 earlier steps, of which 12 was recorded last.
    assert recorded.steps.tolist() == list(range(0, 32, 4))
    assert [layer.trainable for layer in recorded.spec.layers] == [False, False, True]


def test_compile_by_a_callback_beside_ours(tmp_path: Path) -> None:
    class Recompile(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                self.model.make_train_function(force=True)

    FORMS["arrays"](watched := make(), [Recompile(), LayerHealth(tmp_path / "run", update_freq=3)])
    # Compiled again, the same steps follow.
    assert_same(plain("arrays"), watched)
    assert load(str(tmp_path / "run")).steps.tolist() == [0, 3, 6, 9, 12, 15]


SAVING = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""Keras 3.15 saves models with a call that NumPy 2 deprecates."""


@SAVING
def test_early_stopping_and_checkpoints_beside_ours(tmp_path: Path) -> None:
    def run(name: str, callbacks: Callbacks) -> keras.Model:
        model = make()
        stop = keras.callbacks.EarlyStopping("val_loss", patience=1, min_delta=10.0, restore_best_weights=True)
        save = keras.callbacks.ModelCheckpoint(str(tmp_path / f"{name}-{{epoch}}.keras"))
        model.fit(
            X,
            Y,
            batch_size=BATCH,
            epochs=9,
            validation_split=0.25,
            shuffle=False,
            verbose=0,
            callbacks=[stop, save, *callbacks],
        )
        return model

    alone, watched = run("alone", []), run("watched", [LayerHealth(tmp_path / "run", update_freq=2)])
    assert_same(alone, watched)
    assert len(list(tmp_path.glob("watched-*.keras"))) == len(list(tmp_path.glob("alone-*.keras"))) == 2
    assert_same(alone, keras.models.load_model(str(tmp_path / "watched-1.keras")))
    assert load(str(tmp_path / "run")).steps.tolist() == list(range(0, 12, 2))


@SAVING
def test_saving_cloning_and_pickling_while_attached(tmp_path: Path) -> None:
    class Copy(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.copies: list[keras.Model] = []

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 5:
                path = str(tmp_path / "model.keras")
                self.model.save(path)
                cloned = keras.models.clone_model(self.model)
                cloned.set_weights(self.model.get_weights())
                pickled = pickle.loads(pickle.dumps(self.model))
                self.copies = [keras.models.load_model(path), cloned, pickled]
                for copy in self.copies:
                    assert_same(self.model, copy)

    copy = Copy()
    model = make()
    FORMS["arrays"](model, [LayerHealth(tmp_path / "run", update_freq=1), copy])
    assert len(copy.copies) == 3
    for copied in copy.copies:
        assert_nothing_left(copied)
        copied.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
        FORMS["arrays"](copied, [])
    assert_nothing_left(model)


def assert_nothing_left(model: keras.Model) -> None:
    owners = [model, model.optimizer, *model._flatten_layers()]
    for owner in owners:
        for name, value in vars(owner).items():
            module = getattr(value, "__module__", None) or type(value).__module__
            assert not str(module).startswith("tb_activations"), (owner, name)
            assert name not in ("call", "apply", "compute_loss", "train_step"), (owner, name)


@pytest.mark.parametrize("form", ["arrays", "generator"])
def test_nothing_of_ours_is_left(form: str, tmp_path: Path) -> None:
    apply, gradient = keras.optimizers.Optimizer.apply, tf.GradientTape.gradient
    model = make()
    before = {id(owner): set(vars(owner)) for owner in [model, *model._flatten_layers()]}
    FORMS[form](model, [LayerHealth(tmp_path / "run", update_freq=1)])
    assert_nothing_left(model)
    for layer in model._flatten_layers(include_self=False):
        assert set(vars(layer)) == before[id(layer)]
    assert keras.optimizers.Optimizer.apply is apply
    assert tf.GradientTape.gradient is gradient


def test_the_callback_can_be_made_again_for_every_fit(tmp_path: Path) -> None:
    def run(callbacks: Callable[[int], Callbacks]) -> keras.Model:
        model = make()
        for number in range(2):
            FORMS["arrays"](model, callbacks(number))
        return model

    watched = run(lambda number: [LayerHealth(tmp_path / str(number), update_freq=5)])
    assert_same(run(lambda number: []), watched)
    assert [load(str(tmp_path / str(number))).steps.tolist()[0] for number in range(2)] == [0, 16]
