"""Snapshots during a real `fit`: what they record, and what they must not change."""

from __future__ import annotations

import io
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from tb_activations import LayerHealth, load, probe
from tb_activations.pictures import kinds
from tb_activations.pictures.kinds import KINDS, Details, read_details
from tb_activations.snapshots import looks, watch
from tests.clocked import clocked
from tests.snapshots.models import autoencoder, classifier, compiled, digits, everything_with_a_state

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

Pictures = dict[str, list[tuple[int, bytes]]]


def fit(make: Callable[[], keras.Model], callbacks: list[Any], *, epochs: int = 2, **arguments: Any) -> keras.Model:
    """A training from a fixed seed, on digits; of an autoencoder if the model outputs images."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    x, y = digits()
    model = make()
    target = x if model.output_shape[1:] == x.shape[1:] else y
    model.history_of_fit = model.fit(
        x, target, batch_size=32, epochs=epochs, verbose=0, callbacks=callbacks, **arguments
    ).history
    return model


def pictures_of(log_dir: Path) -> Pictures:
    """By tag, the steps and PNGs."""
    events = EventAccumulator(str(log_dir), size_guidance={"tensors": 0}).Reload()
    tags = [tag for tag in events.Tags()["tensors"] if tag.split("/")[0] in KINDS]
    return {
        tag: [(event.step, tensor_util.make_ndarray(event.tensor_proto)[2]) for event in events.Tensors(tag)]
        for tag in tags
    }


def same_picture(png: bytes, expected: kinds.Picture) -> bool:
    """Pixel for pixel."""
    one, other = (np.asarray(Image.open(io.BytesIO(data))) for data in (png, expected.png))
    return np.array_equal(one, other)


@pytest.mark.parametrize(("is_recurrent", "eagerly"), [(False, False), (True, True)])
def test_training_is_bit_identical(is_recurrent: bool, eagerly: bool, tmp_path: Path) -> None:
    def outcome(callback: LayerHealth) -> tuple[list[Any], dict[str, list[float]], list[float]]:
        model = fit(lambda: everything_with_a_state(is_recurrent=is_recurrent, run_eagerly=eagerly), [callback])
        variables = [*model.variables, *model.optimizer.variables]
        drawn = [random.random(), float(np.random.rand()), float(keras.random.uniform(()))]  # noqa: NPY002
        return [variable.numpy() for variable in variables], model.history_of_fit, drawn

    images = [kind for kind in KINDS if kind != "maximized_input" and not (is_recurrent and kind == "saliency")]
    watch = LayerHealth(tmp_path / "watched", update_freq=1, image_freq="epoch", probe_data=digits(32), images=images)
    alone, history, drawn = outcome(LayerHealth(tmp_path / "alone", update_freq=1, image_freq=0))
    watched, watched_history, watched_drawn = outcome(watch)
    assert watched_history == history
    assert watched_drawn == drawn
    for one, other in zip(alone, watched, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(pictures_of(tmp_path / "watched")["feature_maps/conv"]) == 2
    assert np.nanmax(load(tmp_path / "watched").stat("mode_difference")[-1]) > 0.1


@pytest.mark.parametrize("is_recurrent", [False, True])
def test_without_samples_pictures_are_of_the_observed_step(is_recurrent: bool, tmp_path: Path) -> None:
    callback = LayerHealth(tmp_path, image_freq="epoch", image_scale="each")
    fit(lambda: everything_with_a_state(is_recurrent=is_recurrent), [callback])
    drawn = pictures_of(tmp_path)
    per_layer = ("feature_maps", "mean_activation")
    assert {f"{kind}/{layer}" for kind in per_layer for layer in ("conv", "norm")} | {"units/head"} <= set(drawn)
    over_time = {"through_time"} if is_recurrent else set()
    assert {tag.split("/")[0] for tag in drawn} == {*per_layer, "units", *over_time}
    assert all([step for step, _ in points] == [3, 7] for points in drawn.values())
    for kind in per_layer:
        details = read_details(drawn[f"{kind}/conv"][-1][1])
        assert details is not None
        assert "first samples of the last observed step" in details.about.lower()
        assert "in training mode" in details.about
    run = load(tmp_path)
    assert np.isnan(run.stat("mode_difference")).all()
    assert np.isnan(run.step_stat("reconstruction_error")).all()


def test_the_given_samples_are_watched(tmp_path: Path) -> None:
    x, y = digits(300)
    probe_data = x[200:230], y[200:230]
    callback = LayerHealth(tmp_path, image_freq="epoch", probe_data=probe_data, images=list(KINDS))
    model = fit(classifier, [callback])
    drawn = pictures_of(tmp_path)
    per_layer = ("feature_maps", "mean_activation")
    of_layers = {f"{kind}/{layer}" for kind in per_layer for layer in ("conv", "norm")}
    assert set(drawn) == {*of_layers, "units/head", "saliency/head", "maximized_input/norm", "maximized_input/head"}
    assert all([step for step, _ in points] == [3, 7] for points in drawn.values())
    conv = probe.activations(model, probe_data[0], layers=["conv"])["conv"]
    assert same_picture(drawn["feature_maps/conv"][-1][1], kinds.feature_maps(conv[: looks.MAP_SAMPLES]))
    heat = probe.saliency(model, probe_data[0][:8], target=probe_data[1][:8])
    assert same_picture(drawn["saliency/head"][-1][1], kinds.saliency(probe_data[0][:8], heat[..., 0]))
    means = read_details(drawn["mean_activation/conv"][-1][1])
    assert means is not None
    assert means.high >= conv.mean(axis=(0, 1, 2)).max() * 0.999
    modes = probe.compare_modes(model, probe_data[0], batch_size=30)
    run = load(tmp_path)
    np.testing.assert_allclose(
        run.stat("mode_difference")[run.steps == 7][0], [modes[name].own for name in run.layers], rtol=1e-5
    )
    assert np.isnan(run.stat("mode_difference")[run.steps < 3]).all()
    assert np.isnan(run.step_stat("reconstruction_error")).all()
    # Writing these steps again lost no other value.
    assert np.isfinite(run.stat("mean")).all()
    assert np.isfinite(run.step_stat("loss")).all()


def test_maps_without_samples_are_those_of_the_step(tmp_path: Path) -> None:
    """With a learning rate of 0 the step observes the layer as it is after the step."""

    def frozen() -> keras.Model:
        model = keras.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(6, 3, name="conv"), layers.Flatten()])
        model.add(layers.Dense(10, name="head"))
        model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", jit_compile=False)
        return model

    model = fit(frozen, [LayerHealth(tmp_path, image_freq="epoch", image_scale="each")], epochs=3, shuffle=False)
    last = digits()[0][96:98]
    expected = kinds.feature_maps(model.get_layer("conv")(last).numpy(), common_scale=False)
    drawn = pictures_of(tmp_path)
    shown = drawn["feature_maps/conv"][-1][1]
    assert same_picture(shown, expected)
    details = read_details(shown)
    assert isinstance(details, Details)
    assert (details.low, details.high, details.scale) == (expected.low, expected.high, "each")
    means = model.get_layer("conv")(last).numpy().mean(axis=(0, 1, 2))
    assert same_picture(drawn["mean_activation/conv"][-1][1], kinds.mean_activations(np.stack([means] * 3)))


def test_maps_of_a_step_without_finite_values_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> keras.Model:
        bias = keras.initializers.Constant(float("nan"))
        model = keras.Sequential(
            [layers.Input((8, 8, 1)), layers.Conv2D(2, 3, bias_initializer=bias, name="conv"), layers.Flatten()]
        )
        model.add(layers.Dense(10, name="head"))
        return compiled(model)

    with caplog.at_level(logging.WARNING, "tb_activations"):
        fit(broken, [LayerHealth(tmp_path, image_freq="epoch")])
    assert "feature_maps/conv" not in pictures_of(tmp_path)
    assert "units/head" in pictures_of(tmp_path)
    assert not [record.message for record in caplog.records if "nothing more is recorded" in record.message]


def test_one_callback_for_two_models_with_different_numbers_of_maps(tmp_path: Path) -> None:
    callback = LayerHealth(tmp_path / "run", image_freq="epoch", probe_data=digits(16))
    fit(classifier, [callback])

    def wider() -> keras.Model:
        flat = [layers.Flatten(name="flatten"), layers.Dense(10, name="head")]
        return compiled(keras.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(9, 3, name="conv"), *flat]))

    fit(wider, [callback])
    folders = [tmp_path / "run", tmp_path / "run-2"]
    assert [len(pictures_of(folder).get("mean_activation/conv", ())) for folder in folders] == [2, 2]


def test_an_autoencoder_is_watched_as_it_learns(tmp_path: Path) -> None:
    x, _ = digits()
    callback = LayerHealth(tmp_path, image_freq="epoch", probe_data=(x[:64], x[:64]))
    model = fit(autoencoder, [callback], epochs=8)
    run = load(tmp_path)
    errors = run.step_stat("reconstruction_error")
    measured = errors[np.isfinite(errors)]
    assert len(measured) == 8
    assert measured[-1] < 0.7 * measured[0]
    assert measured[-1] == pytest.approx(np.mean((model(x[:64]).numpy() - x[:64]) ** 2), rel=1e-5)
    scalars = EventAccumulator(str(tmp_path)).Reload().Tensors("reconstruction_error")
    np.testing.assert_array_equal([tensor_util.make_ndarray(event.tensor_proto) for event in scalars], measured)
    first, last = (
        np.asarray(Image.open(io.BytesIO(png)))
        for _, png in np.array(pictures_of(tmp_path)["reconstruction/output"], object)[[0, -1]]
    )
    np.testing.assert_array_equal(first[:48], last[:48])

    def sharpness(picture: np.ndarray[Any, Any]) -> float:
        return float(np.corrcoef(picture[:48].ravel(), picture[49:97].ravel())[0, 1])

    assert sharpness(last) > sharpness(first) + 0.1


class OnlyTrains(keras.Model):
    """Has a custom training step and cannot be called."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = keras.Sequential([layers.Flatten(name="flatten"), layers.Dense(10, name="head")], name="inner")
        self.inner.build((None, 8, 8, 1))
        self.built = True

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        return (None, 10)

    def train_step(self, data: Any) -> dict[str, Any]:
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self.inner(x, training=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


def test_a_model_that_cannot_be_called_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    x, y = digits(16)
    callback = LayerHealth(tmp_path, update_freq=1, image_freq="epoch", probe_data=(x, y))
    with caplog.at_level(logging.WARNING, "tb_activations"):
        fit(lambda: compiled(OnlyTrains()), [callback])
    warnings = [record.message for record in caplog.records if "probe data" in record.message]
    assert len(warnings) == 1
    assert "Training continues" in warnings[0]
    assert len(load(tmp_path).steps) == 8


def test_a_part_that_fails_is_logged_once_and_the_others_continue(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> None:
        raise MemoryError("not this one")

    monkeypatch.setattr(looks, "saliency", fail)
    with caplog.at_level(logging.WARNING, "tb_activations"):
        fit(classifier, [LayerHealth(tmp_path, image_freq="epoch", probe_data=digits(16))])
    warnings = [record.message for record in caplog.records if "saliency" in record.message]
    assert len(warnings) == 1
    assert "MemoryError: not this one" in warnings[0]
    assert [step for step, _ in pictures_of(tmp_path)["feature_maps/conv"]] == [3, 7]


def test_snapshots_keep_within_their_share_of_the_budget(tmp_path: Path) -> None:
    class Clock:
        """A second passes at every reading."""

        now = 0.0

        def __call__(self) -> float:
            self.now += 1.0
            return self.now

    fit(classifier, [clocked(LayerHealth(tmp_path / "auto"), Clock())], epochs=4)
    fit(classifier, [clocked(LayerHealth(tmp_path / "all", image_freq=1), Clock())], epochs=4)
    assert len(pictures_of(tmp_path / "auto")["feature_maps/conv"]) == 1
    assert len(pictures_of(tmp_path / "all")["feature_maps/conv"]) == 4


def test_a_first_snapshot_that_would_take_long_comes_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LIKE_PREPARING", 1e9)
    fit(classifier, [LayerHealth(tmp_path, probe_data=digits(16))], epochs=3)
    assert [step for step, _ in pictures_of(tmp_path)["feature_maps/conv"]] == [11]
    assert np.isfinite(load(tmp_path).stat("mode_difference")[-1]).all()


def test_without_pictures_the_statistics_remain(tmp_path: Path) -> None:
    fit(classifier, [LayerHealth(tmp_path, image_freq="epoch", images=[], probe_data=digits(16))])
    assert pictures_of(tmp_path) == {}
    assert np.isfinite(load(tmp_path).stat("mode_difference")[-1]).all()
