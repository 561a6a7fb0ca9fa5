"""Realistic programs are recorded with all layers, and train as they do without the callback."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tb_activations import load
from tb_activations.taps.layers import find_layers_of
from tests.thorough import mostly

PROGRAMS = (
    "vae",
    "gan",
    "dcgan",
    "contrastive",
    "ddpm",
    "actor_critic",
    "cyclegan",
    "distillation",
    "mae",
    "siamese",
    "siamese_contrastive",
    "seq2seq",
    "sharpness_aware",
    "wgan_gp",
)

NEVER_CALLED = {"ddpm": "ema_unet/"}
"""Prefixes of the layer names of networks that no training step calls."""


QUICK = ("vae", "gan", "actor_critic")


@pytest.mark.parametrize("program", mostly(PROGRAMS, QUICK))
def test_programs_are_recorded_whole_and_train_as_ever(
    program: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = _train(program, None)
    with caplog.at_level(logging.WARNING, "tb_activations"):
        watched = _train(program, str(tmp_path))
    assert _values(plain).keys() == _values(watched).keys()
    changed = [name for name, value in _values(plain).items() if not np.array_equal(value, _values(watched)[name])]
    assert changed == []
    assert _notices(caplog) == []
    run = load(tmp_path)
    assert run.steps[0] == 0
    idle = NEVER_CALLED.get(program, "?")
    missing = {layer.name: layer.not_observed for layer in run.spec.layers if layer.not_observed}
    assert {name for name in missing if not name.startswith(idle)} == set()
    rows = {layer.name: row for row, layer in enumerate(run.spec.layers)}
    holders = [name for name in _holders(watched) if not name.startswith(idle)]
    assert {name for name in holders if name not in rows} == set()
    trained = [name for name, is_trained in _holders(watched).items() if is_trained and name in holders]
    # The weights of a cell belong to the recurrent layer around it.
    around = {layer.name: layer.part_of for layer in run.spec.layers if layer.part_of}
    owners = [around.get(name, name) for name in trained]
    norms = run.stat("weight_norm")[:, [rows[name] for name in owners]]
    assert [name for name, norm in zip(owners, norms.T, strict=True) if not np.isfinite(norm).all()] == []


def _train(program: str, log_dir: str | None) -> dict[str, keras.Model]:
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)
    module: Any = importlib.import_module(f"tests.training.programs.{program}")
    models: dict[str, keras.Model] = module.train(log_dir)
    return models


def _notices(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Logged messages that are not findings."""
    told = [record.getMessage() for record in caplog.records if record.name == "tb_activations"]
    return [message for message in told if not message.startswith("Layer health, ")]


def _values(models: dict[str, keras.Model]) -> dict[str, np.ndarray]:
    return {
        f"{name} {index} {variable.path}": np.asarray(variable)
        for name, model in models.items()
        for index, variable in enumerate(model.variables)
    }


def _holders(models: dict[str, keras.Model]) -> dict[str, bool]:
    """Layers that hold weights directly, and whether any of these weights is trained."""
    named = find_layers_of(models if len(models) > 1 else {"": next(iter(models.values()))})
    own = {entry.name: (entry.layer, entry.layer._trainable_variables) for entry in named}
    return {
        name: layer.trainable and any(weight.trainable for weight in weights)
        for name, (layer, weights) in own.items()
        if weights or layer._non_trainable_variables
    }
