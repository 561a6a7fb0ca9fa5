"""A small part of `make odd-models`, and tests that it can find errors."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import keras
import numpy as np
import pytest

from benchmarks.odd_models import description, trial
from benchmarks.odd_models.description import describe
from benchmarks.odd_models.trial import differences, run_trial
from tb_activations import LayerHealth

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    # From Keras' own callbacks, which copy weights.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SEEDS = (2, 17, 23, 27, 29)
"""Small models of every family, and of both kinds of loops."""
QUICK = 17


@pytest.mark.parametrize("seed", SEEDS)
def test_models_made_at_random_train_as_without_observing(seed: int) -> None:
    outcome = run_trial(seed)
    assert (outcome.complaints, outcome.notices) == ((), ()), outcome.description
    assert outcome.records >= 1


def test_two_hundred_descriptions_cover_everything_that_can_be_drawn() -> None:
    drawn = [dataclasses.asdict(describe(seed)) for seed in range(200)]
    allowed = {
        "structure": {name for names in description.STRUCTURES.values() for name in names},
        "state": set(description.STATES),
        "noise": set(description.NOISES),
        "step": {"keras", "critic", *description.OWN_STEPS},
        "optimizer": set(description.OPTIMIZERS),
        "extra": set(description.OPTIMIZER_EXTRAS),
        "loss": set(description.LOSSES),
        "way": {*description.WAYS, *description.LOOPS},
        "policy": set(description.POLICIES),
    }
    assert {name: {values[name] for values in drawn} for name in allowed} == allowed


def test_a_number_stands_for_one_description() -> None:
    assert describe(3) == describe(3)
    assert len({str(describe(seed)).partition(":")[2] for seed in range(50)}) == 50


class _Nudges(LayerHealth):
    def on_train_end(self, logs: Any = None) -> None:
        super().on_train_end(logs)
        weight = self.model.trainable_variables[0]
        weight.assign(np.nextafter(np.asarray(weight), np.float32(9)))


class _Draws(LayerHealth):
    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        np.random.random()  # noqa: NPY002


class _Raises(LayerHealth):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        raise RuntimeError("no")


class _RecordsNothing(keras.callbacks.Callback):
    def __init__(self, folder: str) -> None:
        super().__init__()


@functools.cache
def _plain() -> trial.Values:
    """What the quick model trains to without a callback."""
    return trial.train(describe(QUICK), None)


@pytest.mark.parametrize(
    ("callback", "complaint"),
    [
        (_Nudges, "1 of"),
        (_Draws, "numpy.random"),
        (_Raises, "ended with an error: RuntimeError: no"),
        (_RecordsNothing, "no record"),
    ],
)
def test_callbacks_that_change_or_lose_something_are_noticed(
    callback: Any, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, train = _plain(), trial.train
    monkeypatch.setattr(trial, "train", lambda *given: plain if given[1] is None else train(*given))
    monkeypatch.setattr(trial, "LayerHealth", callback)
    outcome = run_trial(QUICK)
    assert len(outcome.complaints) == 1
    assert complaint in outcome.complaints[0]


def test_differences_are_exact_and_know_nan() -> None:
    one = {"w": np.array([1.0, np.nan], np.float32)}
    assert differences(one, {"w": one["w"].copy()}) == []
    (told,) = differences(one, {"w": np.array([np.nextafter(np.float32(1), np.float32(2)), np.nan], np.float32)})
    assert told.startswith("1 of 1 values differ")
    (told,) = differences(one, {"v": one["w"]})
    assert told.startswith("other variables")
