"""Rules in real trainings: healthy ones have no warning or problem at any step, sick layers are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_digits

import tb_activations
from tb_activations.callback import LayerHealth
from tb_activations.health.diagnosis import Diagnosis
from tb_activations.records.finding import Finding, Severity
from tests.thorough import mostly

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

DIGITS = load_digits()
IMAGES = (DIGITS.images / 16).astype("float32")
LABELS = DIGITS.target


def dense(activation: str, depth: int, **options: Any) -> keras.Model:
    hidden = [layers.Dense(32, activation, name=f"hidden_{number}", **options) for number in range(depth)]
    return keras.Sequential([layers.Input((8, 8)), layers.Flatten(), *hidden, layers.Dense(10, name="head")])


def convolutional() -> keras.Model:
    body = [
        layer
        for filters in (8, 16)
        for layer in (layers.Conv2D(filters, 3, padding="same"), layers.BatchNormalization(), layers.ReLU())
    ]
    head = [layers.Flatten(), layers.Dropout(0.3), layers.Dense(10)]
    return keras.Sequential([layers.Input((8, 8)), layers.Reshape((8, 8, 1)), *body, *head])


def attention() -> keras.Model:
    inputs = layers.Input((8, 8))
    value = layers.Dense(16)(inputs)
    value = layers.Add()([value, layers.MultiHeadAttention(2, 8)(layers.LayerNormalization()(value), value)])
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling1D()(value)))


def recurrent() -> keras.Model:
    return keras.Sequential([layers.Input((8, 8)), layers.LSTM(24), layers.Dense(10)])


def train(model: keras.Model, optimizer: Any, log_dir: Path, images: Any = IMAGES) -> list[Finding]:
    """Every change of a finding during a training, with the severity at that time."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=False)
    model.fit(images, LABELS, epochs=3, verbose=0, callbacks=[LayerHealth(log_dir, update_freq=5, histogram_freq=0)])
    run = tb_activations.load(log_dir)
    diagnosis = Diagnosis(run.spec)
    return [finding for record in run.records() for finding in diagnosis.judge(record).changes]


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(3)


# Rectifiers and residual networks train in `test_known_cases.py`; many more in `make accuracy`.
HEALTHY: dict[str, Callable[[], keras.Model]] = {
    "tanh": lambda: dense("tanh", 4),
    "convolutional": convolutional,
    "attention": attention,
    "recurrent": recurrent,
}


@pytest.mark.parametrize("name", mostly(HEALTHY, ("convolutional",)))
def test_healthy_nets_raise_no_alarm(name: str, tmp_path: Path) -> None:
    found = train(HEALTHY[name](), "adam", tmp_path)
    assert [finding.message for finding in found if finding.severity is not Severity.NOTE] == []


def roots(found: list[Finding]) -> set[tuple[str, str]]:
    """Rule and layer of the problems that are roots."""
    return {
        (finding.rule, finding.layer)
        for finding in found
        if finding.severity is Severity.PROBLEM and finding.root is None
    }


def test_units_killed_by_their_bias_are_found(tmp_path: Path) -> None:
    model = dense("relu", 3, bias_initializer=keras.initializers.Constant(-10.0))
    assert roots(train(model, "adam", tmp_path)) == {("dead_units", "hidden_0")}


def test_units_killed_by_the_learning_rate_are_found(tmp_path: Path) -> None:
    found = roots(train(dense("relu", 3), keras.optimizers.Adam(1.0), tmp_path))
    assert "dead_units" in {rule for rule, _ in found}


def test_a_deep_stack_of_sigmoids_is_found_at_its_bottom(tmp_path: Path) -> None:
    found = train(dense("sigmoid", 8), keras.optimizers.SGD(0.1), tmp_path)
    problems = {finding.layer for finding in found if finding.severity is Severity.PROBLEM}
    assert {"hidden_0", "hidden_1"} <= problems
    # Findings about layers nearer the loss, and about the head, are consequences.
    assert {rule for rule, _ in roots(found)} == {"vanishing_gradient"}
    assert "head" not in {layer for _, layer in roots(found)}


def test_nan_from_one_bad_sample_is_told_to_the_first_layer(tmp_path: Path) -> None:
    images = IMAGES.copy()
    images[900] = np.nan
    found = train(dense("tanh", 3), "adam", tmp_path, images)
    assert ("nonfinite", "flatten") in roots(found) or ("nonfinite", "hidden_0") in roots(found)
