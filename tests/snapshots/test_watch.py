"""Snapshots of one model and of several models by name."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tb_activations.records.specs import LayerSpec, RunSpec
from tb_activations.snapshots.model_snapshots import Snapshot
from tb_activations.snapshots.settings import watch_settings
from tb_activations.snapshots.watch import Watch
from tb_activations.taps.layers import LayerChoice
from tests.snapshots.models import autoencoder, classifier, digits

X, LABELS = digits(12)


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    keras.utils.set_random_seed(0)
    return {"coder": autoencoder(), "critic": classifier()}


def described(models: dict[str, keras.Model]) -> RunSpec:
    layers = tuple(
        LayerSpec(f"{name}/{layer.name}", type(layer).__name__, 0, (None, 8), "float32", 8, None, 0, True)
        for name, model in models.items()
        for layer in model.layers
    )
    return RunSpec("coder + critic", layers, (), {}, {}, {})


def watch(probe_data: object, layers: LayerChoice = None) -> Watch:
    return Watch(watch_settings(probe_data, None, "common", ("coder", "critic")), layers, None, lambda: 0.0)


def taken(own: Watch, models: dict[str, keras.Model], step_maps: dict[str, np.ndarray] | None = None) -> Snapshot:
    """The snapshot that the watch takes at once."""
    snapshots: list[Snapshot] = []
    assert own.look(models, described(models), step_maps or {}, snapshots.append) is not None
    return snapshots[0]


def test_several_models_have_their_names_before_those_of_the_layers(models: dict[str, keras.Model]) -> None:
    step_maps = {"critic/conv": np.ones((2, 4, 4, 3), np.float32), "coder/image": np.ones((2, 4, 4, 1), np.float32)}
    snapshot = taken(watch({"coder": X, "critic": (X, LABELS)}), models, step_maps)
    assert {
        "feature_maps/coder/encode",
        "feature_maps/critic/conv",
        "mean_activation/critic/norm",
        "reconstruction/coder/output",
        "saliency/critic/head",
        "feature_maps/coder/image",
    } <= set(snapshot.pictures)
    assert {"coder/code", "critic/drop"} <= set(snapshot.mode_difference)
    assert snapshot.mode_difference["critic/drop"] > 0.5
    assert snapshot.reconstruction_error == pytest.approx(
        float(np.mean((models["coder"](X).numpy() - X) ** 2)), rel=1e-5
    )


def test_a_model_without_samples_is_not_called(models: dict[str, keras.Model]) -> None:
    snapshot = taken(watch({"critic": X}), models)
    assert {name.split("/")[0] for name in snapshot.mode_difference} == {"critic"}
    assert np.isnan(snapshot.reconstruction_error)


def test_layers_are_chosen_by_their_names_in_the_run(models: dict[str, keras.Model]) -> None:
    snapshot = taken(watch({"coder": X, "critic": X}, ["critic/conv"]), models)
    assert list(snapshot.mode_difference) == ["critic/conv"]


def test_a_first_snapshot_that_would_take_long_waits(models: dict[str, keras.Model]) -> None:
    now = [0.0]
    settings = watch_settings({"critic": X}, ["saliency"], "common", ("coder", "critic"))
    waiting = Watch(settings, None, 0.01, lambda: now[0])

    def looks(seconds: float, preparing: float = 8.0, *, is_end: bool = False) -> bool:
        now[0] = seconds
        seconds_taken = waiting.look(models, described(models), {}, lambda _: None, preparing=preparing, is_end=is_end)
        return seconds_taken is not None

    assert [looks(seconds) for seconds in (5, 39)] == [False, False]
    assert waiting.is_waiting
    assert looks(41)
    assert not waiting.is_waiting
    assert looks(42)


def test_writing_counts_as_a_part_of_a_snapshot(models: dict[str, keras.Model]) -> None:
    now = [100.0]
    settings = watch_settings({"critic": X}, ["saliency"], "common", ("coder", "critic"))
    own = Watch(settings, None, 0.01, lambda: now[0])

    def write(_: Snapshot) -> None:
        now[0] += 3.0

    def look() -> float | None:
        return own.look(models, described(models), {}, write)

    assert look() == 3.0
    # Half of a percent of the time is for snapshots: another one of three seconds is due when six are paid for.
    now[0] = 100.0 + 1199
    assert look() is None
    now[0] = 100.0 + 1201
    assert look() == 3.0


@pytest.mark.parametrize(("preparing", "is_end"), [(1.9, False), (100.0, True)])
def test_a_short_first_snapshot_and_one_at_the_end_do_not_wait(
    models: dict[str, keras.Model], preparing: float, is_end: bool
) -> None:
    settings = watch_settings({"critic": X}, ["saliency"], "common", ("coder", "critic"))
    own = Watch(settings, None, 0.01, lambda: 0.0)
    assert own.look(models, described(models), {}, lambda _: None, preparing=preparing, is_end=is_end) is not None
    assert not own.is_waiting


def test_without_samples_or_with_a_frequency_of_the_user_nothing_waits() -> None:
    settings = watch_settings(None, None, "common", ("coder", "critic"))
    assert not Watch(settings, None, 0.01, lambda: 0.0).is_waiting
    assert not watch({"critic": X}).is_waiting
