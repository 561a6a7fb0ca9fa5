"""Real trainings once misjudged: NaN in data, losses near zero, large tables, cycles of causes, frozen layers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from tb_activations import LayerHealth, load
from tb_activations.cli.main import main
from tb_activations.records.finding import WHOLE, Finding, Severity
from tests.thorough import mostly

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(640, 8)).astype("float32")
NOISY = (X[:, :1] + 0.5 * RANDOM.normal(size=(640, 1))).astype("float32")
BATCH, BAD_ROW = 32, 150
BAD_STEP = BAD_ROW // BATCH


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(1)


def dense(*activations: str | None, out: int = 1) -> keras.Model:
    hidden = [layers.Dense(16, activation, name=f"hidden_{place}") for place, activation in enumerate(activations)]
    return keras.Sequential([layers.Input((8,)), *hidden, layers.Dense(out, name="head")])


def fit(
    model: keras.Model, x: Any, y: Any, folder: Path, loss: Any = "mse", optimizer: Any = "sgd", **options: Any
) -> LayerHealth:
    """Trains in the order of the data, every step observed."""
    model.compile(optimizer, loss, jit_compile=False)
    callback = LayerHealth(folder, update_freq=1, histogram_freq=0, image_freq=0)
    arguments = {"epochs": 2, "batch_size": BATCH, "shuffle": False, "verbose": 0, **options}
    model.fit(x, y, callbacks=[callback], **arguments)
    return callback


DATA = "nonfinite_data"


def nan_root(callback: LayerHealth, rule: str = "nonfinite") -> Finding:
    """The only root; everything else that was found follows from it."""
    (root,) = [one for one in callback.findings if one.root is None and one.closed_step is None]
    assert root.rule == rule
    return root


def with_bad_row(data: np.ndarray, value: float = np.nan) -> np.ndarray:
    spoiled = data.copy()
    spoiled[BAD_ROW, 0] = value
    return spoiled


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_bad_row_of_the_inputs_is_named_at_the_end(activation: str, value: float, tmp_path: Path) -> None:
    root = nan_root(fit(dense(activation, activation), with_bad_row(X, value), NOISY, tmp_path), DATA)
    assert (root.layer, root.sign, root.since_step, root.value) == (WHOLE, "inputs", BAD_STEP, 1)
    assert "hidden_0" in root.message
    assert "learning rate" not in root.advice
    (stored,) = [one for one in load(tmp_path).findings if one.id == root.id]
    assert stored.message == root.message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bad_row_of_the_targets_is_named_at_the_end(value: float, tmp_path: Path) -> None:
    root = nan_root(fit(dense("relu", "tanh"), X, with_bad_row(NOISY, value), tmp_path), DATA)
    assert (root.layer, root.sign, root.since_step) == (WHOLE, "targets", BAD_STEP)
    assert "targets" in root.advice


def test_a_bad_sample_weight_is_named_at_the_end(tmp_path: Path) -> None:
    weights = with_bad_row(np.ones((640, 1), "float32"))[:, 0]
    root = nan_root(fit(dense("relu"), X, NOISY, tmp_path, sample_weight=weights), DATA)
    assert (root.layer, root.sign, root.since_step) == (WHOLE, "sample_weights", BAD_STEP)
    assert "sample weights" in root.advice


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_nan_in_the_second_of_two_inputs_is_laid_to_the_layer_that_takes_it(activation: str, tmp_path: Path) -> None:
    one, other = layers.Input((8,)), layers.Input((8,))
    both = layers.Concatenate()(
        [layers.Dense(8, activation, name="left")(one), layers.Dense(8, activation, name="right")(other)]
    )
    model = keras.Model([one, other], layers.Dense(1, name="head")(both))
    root = nan_root(fit(model, [X, with_bad_row(X)], NOISY, tmp_path), DATA)
    assert (root.layer, root.since_step) == (WHOLE, BAD_STEP)
    assert "into right" in root.message


def test_nan_made_inside_the_network_is_not_laid_to_the_data(tmp_path: Path) -> None:
    model = keras.Sequential(
        [
            layers.Input((8,)),
            layers.Dense(8, "tanh", name="hidden"),
            layers.Lambda(lambda value: ops.log(value + 0.6), name="log"),
            layers.Dense(1, name="head"),
        ]
    )
    root = nan_root(fit(model, 3 * X, NOISY, tmp_path))
    assert (root.layer, root.since_step) == ("log", 0)
    assert "input data" not in root.message


def alarms(callback: LayerHealth, rule: str = "exploding_gradient") -> list[str]:
    return [one.message for one in callback.findings if one.rule == rule and one.severity is not Severity.NOTE]


def table(words: int) -> keras.Model:
    big = keras.initializers.RandomNormal(stddev=0.4)
    body = [layers.Embedding(words, 50, embeddings_initializer=big), layers.GlobalAveragePooling1D()]
    return keras.Sequential([layers.Input((20,), dtype="int32"), *body, layers.Dense(8, "relu"), layers.Dense(1)])


def policy(targets: Any, outputs: Any) -> Any:
    return ops.mean(targets * outputs)


def likelihood(targets: Any, outputs: Any) -> Any:
    mean, log_std = outputs[:, :1], outputs[:, 1:]
    return ops.mean(0.5 * ops.exp(-2 * log_std) * (targets - mean) ** 2 + log_std)


with_adam = functools.partial(fit, optimizer="adam")
HEALTHY: dict[str, Callable[[Path], LayerHealth]] = {
    "a table of which few rows are used": lambda folder: with_adam(
        table(20_000), RANDOM.integers(0, 19_999, (640, 20)).astype("int32"), NOISY, folder
    ),
    "batches of one": lambda folder: with_adam(
        dense("relu", "relu"), X[:192], NOISY[:192], folder, batch_size=1, epochs=1
    ),
    "batches of two": lambda folder: with_adam(
        dense("relu", "relu"), X[:384], NOISY[:384], folder, batch_size=2, epochs=1
    ),
    "a last batch of one": lambda folder: with_adam(dense("relu", "relu"), X[:193], NOISY[:193], folder, epochs=12),
    "policy gradient": lambda folder: with_adam(dense("relu", "relu"), X, np.sign(NOISY), folder, policy, epochs=3),
    "advantages around zero": lambda folder: with_adam(
        dense("relu"), X, X[:, 1:2], folder, policy, batch_size=64, epochs=4
    ),
    "negative log-likelihood": lambda folder: with_adam(
        dense("relu", out=2), X, 0.3 * NOISY, folder, likelihood, epochs=5
    ),
    "hinge": lambda folder: with_adam(dense("relu"), X, np.sign(X[:, :1]), folder, "hinge", epochs=15),
    "a loss with an offset": lambda folder: with_adam(
        dense("relu"), X, NOISY, folder, lambda targets, outputs: 1000 + ops.mean((targets - outputs) ** 2)
    ),
    "tiny targets": lambda folder: with_adam(dense("relu"), X, 1e-3 * NOISY, folder, epochs=8),
}


@pytest.mark.parametrize("name", mostly(HEALTHY, ("batches of one", "policy gradient")))
def test_healthy_trainings_do_not_explode(name: str, tmp_path: Path) -> None:
    assert alarms(HEALTHY[name](tmp_path)) == []


def test_a_solved_task_that_is_trained_on_does_not_explode(tmp_path: Path) -> None:
    teacher = dense("tanh")
    student = keras.models.clone_model(teacher)
    student.set_weights(teacher.get_weights())
    callback = fit(student, X, teacher.predict(X, verbose=0), tmp_path, optimizer=keras.optimizers.Adam(1e-4))
    assert alarms(callback) == []


def test_a_chaotic_network_explodes(tmp_path: Path) -> None:
    wild = keras.initializers.RandomNormal(stddev=1.0)
    hidden = [layers.Dense(16, "tanh", kernel_initializer=wild) for _ in range(12)]
    model = keras.Sequential([layers.Input((8,)), *hidden, layers.Dense(1)])
    assert alarms(fit(model, X, NOISY, tmp_path, optimizer=keras.optimizers.SGD(1e-4)))


@pytest.mark.parametrize("activation", mostly(("sigmoid", "softmax"), ("sigmoid",)))
def test_rings_of_causes_do_not_stop_a_training(activation: str, tmp_path: Path) -> None:
    labels = (X[:, 0] > 0).astype(int)
    callback = with_adam(
        dense(*[activation] * 6, out=2), X, labels, tmp_path, keras.losses.SparseCategoricalCrossentropy(True)
    )
    still_open = [one for one in callback.findings if one.closed_step is None]
    roots = {one.id for one in still_open if one.root is None}
    assert roots
    assert {one.root for one in still_open if one.root is not None} <= roots


def frozen_body() -> keras.Model:
    model = dense("relu")
    model.get_layer("hidden_0").trainable = False
    return model


def frozen() -> keras.Model:
    model = dense("relu")
    model.trainable = False
    return model


def without_weights() -> keras.Model:
    return keras.Sequential([layers.Input((8,)), layers.Activation("relu"), layers.Dropout(0.1)])


def only_statistics() -> keras.Model:
    return keras.Sequential([layers.Input((8,)), layers.BatchNormalization(center=False, scale=False)])


# Keras' own warning about such models.
@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights:UserWarning")
@pytest.mark.parametrize(
    ("build", "rate", "status"),
    [
        (frozen, 1e-3, 2),
        (only_statistics, 1e-3, 2),
        (without_weights, 1e-3, 2),
        (frozen_body, 1e-3, 0),
        (frozen_body, 0.0, 1),
    ],
)
def test_a_model_that_is_not_trained_is_not_called_healthy(
    build: Callable[[], keras.Model], rate: float, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(build(), X, NOISY, tmp_path, optimizer=keras.optimizers.SGD(rate))
    assert main(["check", str(tmp_path)]) == status
    told = capsys.readouterr()
    assert ("Nothing is trained" in told.out + told.err) is (status == 2)
