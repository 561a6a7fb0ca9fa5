"""`LayerHealthPruner` in real searches: sick trials end early, healthy ones are left alone."""

from __future__ import annotations

import copy
import dataclasses
import types
from pathlib import Path
from typing import Any

import keras
import optuna
import pytest
from keras import layers

from tb_activations import load, runs
from tb_activations.integrations import LayerHealthPruner
from tb_activations.records.finding import Finding, Severity
from tests.training.models import digits

EPOCHS = 3


def build(bias: float) -> keras.Model:
    """A network that is healthy with a bias of 0.1; one of -100 leaves all units dead."""
    keras.utils.set_random_seed(0)
    start = keras.initializers.Constant(bias)
    model = keras.Sequential(
        [layers.Input((64,)), layers.Dense(16, "relu", bias_initializer=start, name="hidden"), layers.Dense(10)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    return model


def fit(model: keras.Model, *callbacks: Any) -> keras.callbacks.History:
    x, y = digits()
    return model.fit(x.reshape(len(x), 64), y, epochs=EPOCHS, verbose=0, callbacks=list(callbacks))


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
    assert epochs.count(states[-100.0].number) < EPOCHS
    # Both are recorded to the end, each in its own folder.
    assert [run.name for run in runs(tmp_path)] == ["trial-0", "trial-1"]
    assert load(tmp_path, f"trial-{states[-100.0].number}").findings


def test_without_a_trial_the_training_ends_with_the_score_so_far(tmp_path: Path) -> None:
    """As in Keras Tuner, which copies callbacks for each trial and reads the score from the history."""
    original = LayerHealthPruner(tmp_path / "search", update_freq=1)
    copied = copy.deepcopy(original)
    assert len(fit(build(-100.0), copied).history["accuracy"]) < EPOCHS
    assert copied.pruned is not None
    assert copied.pruned.layer == "hidden"
    assert original.pruned is None
    assert [run.name for run in runs(tmp_path)] == ["search"]


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


@pytest.mark.parametrize("patience", [0, -1, 1.5, True, "1"])
def test_other_patience_is_an_error(patience: Any) -> None:
    with pytest.raises(ValueError, match="`patience`"):
        LayerHealthPruner(patience=patience)
