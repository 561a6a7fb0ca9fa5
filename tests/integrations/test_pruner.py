"""`LayerHealthPruner` in real searches: sick trials end early, healthy ones are left alone."""

from __future__ import annotations

import copy
import dataclasses
import types
from pathlib import Path
from typing import Any

import keras
import numpy as np
import optuna
import pytest
from keras import layers

from tb_activations import load, runs
from tb_activations.integrations import LayerHealthPruner
from tb_activations.integrations.stopping import CONFIRMED
from tb_activations.records.finding import Finding, Severity
from tests.training.models import digits

EPOCHS, BATCH = 3, 8
STEPS = len(digits()[0]) // BATCH


def build(bias: float) -> keras.Model:
    """A network that is healthy with a bias of 0.1; one of -100 leaves all units dead."""
    keras.utils.set_random_seed(0)
    start = keras.initializers.Constant(bias)
    model = keras.Sequential(
        [layers.Input((64,)), layers.Dense(16, "relu", bias_initializer=start, name="hidden"), layers.Dense(10)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"], jit_compile=False)
    return model


def fit(model: keras.Model, *callbacks: Any, **options: Any) -> keras.callbacks.History:
    x, y = digits()
    return model.fit(
        x.reshape(len(x), 64), y, batch_size=BATCH, epochs=EPOCHS, verbose=0, callbacks=list(callbacks), **options
    )


def test_optuna_prunes_the_sick_trial_and_keeps_the_healthy_one(tmp_path: Path) -> None:
    epochs: list[int] = []

    def objective(trial: optuna.Trial) -> float:
        model = build(trial.suggest_categorical("bias", [0.1, -100.0]))
        count = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(trial.number))
        history = fit(model, count, LayerHealthPruner(tmp_path, trial=trial, update_freq=1))
        return float(history.history["accuracy"][-1])

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.GridSampler({"bias": [0.1, -100.0]}, 0))
    study.optimize(objective, n_trials=2)
    states = {trial.params["bias"]: trial for trial in study.trials}
    assert states[-100.0].state is optuna.trial.TrialState.PRUNED
    assert "hidden" in states[-100.0].user_attrs["layer_health"]
    assert states[0.1].state is optuna.trial.TrialState.COMPLETE
    assert study.best_trial.number == states[0.1].number
    assert epochs.count(states[0.1].number) == EPOCHS
    # It ends within its first epoch, once the problem has lasted, and without the validation after it.
    assert epochs.count(states[-100.0].number) == 0
    stopped = load(tmp_path, f"trial-{states[-100.0].number}")
    assert stopped.steps[-1] == min(one.opened_step for one in stopped.findings) + CONFIRMED - 1 < STEPS - 1
    # Both are recorded to the end, each in its own folder.
    assert [run.name for run in runs(tmp_path)] == ["trial-0", "trial-1"]


def test_without_a_trial_the_training_ends_with_the_score_so_far(tmp_path: Path) -> None:
    """As in Keras Tuner, which copies callbacks for each trial and reads the score from the history."""
    original = LayerHealthPruner(tmp_path / "search", update_freq=1)
    copied = copy.deepcopy(original)
    history = fit(build(-100.0), copied, validation_split=0.1).history
    assert len(history["val_accuracy"]) == 1
    assert len(load(tmp_path / "search").steps) < STEPS
    assert copied.pruned is not None
    assert copied.pruned.layer == "hidden"
    assert original.pruned is None
    assert [run.name for run in runs(tmp_path)] == ["search"]


def test_with_patience_the_epoch_is_finished(tmp_path: Path) -> None:
    pruner = LayerHealthPruner(tmp_path, update_freq=1, patience=2)
    assert len(fit(build(-100.0), pruner).history["accuracy"]) == 2
    assert len(load(tmp_path).steps) == 2 * STEPS


def test_a_search_records_only_what_a_verdict_needs(tmp_path: Path) -> None:
    fit(build(0.1), LayerHealthPruner(tmp_path / "light", update_freq=4))
    fit(build(0.1), LayerHealthPruner(tmp_path / "asked", update_freq=4, stock_summaries=True))
    light, asked = load(tmp_path / "light"), load(tmp_path / "asked")
    assert light.scalar_tags == []
    assert "gradient_norm/hidden" in asked.scalar_tags
    np.testing.assert_array_equal(light.layer_table, asked.layer_table)


class Scripted(LayerHealthPruner):
    """Has these findings instead of those of a training."""

    shown: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.shown


def test_patience_counts_epochs_in_a_row(findings: tuple[Finding, ...]) -> None:
    pruner, model = Scripted(patience=2), types.SimpleNamespace(stop_training=False)
    pruner.set_model(model)
    sick, resolved = findings[:1], (dataclasses.replace(findings[0], closed_step=5),)
    warning = (dataclasses.replace(findings[0], severity=Severity.WARNING),)
    stopped = []
    for shown in (sick, resolved, sick, warning, sick, (*warning, *sick)):
        pruner.shown = shown
        pruner.on_epoch_end(0)
        stopped.append(model.stop_training)
    assert stopped == [False] * 5 + [True]
    assert pruner.pruned == findings[0]


def test_a_problem_of_a_few_steps_is_not_confirmed(findings: tuple[Finding, ...]) -> None:
    pruner, model = Scripted(), types.SimpleNamespace(stop_training=False)
    pruner.set_model(model)
    pruner.shown = findings[:1]
    stopped = []
    for sick_steps in (1, 2, 3, CONFIRMED - 1, 0, 1, CONFIRMED):
        pruner._pipeline = types.SimpleNamespace(sick_steps=sick_steps)  # type: ignore[assignment]
        pruner.on_train_batch_end(0)
        stopped.append(model.stop_training)
    assert stopped == [False] * 6 + [True]


@pytest.mark.parametrize("patience", [-1, 1.5, True, "1"])
def test_other_patience_is_an_error(patience: Any) -> None:
    with pytest.raises(ValueError, match="`patience`"):
        LayerHealthPruner(patience=patience)
