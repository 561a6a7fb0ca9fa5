"""`LayerHealth` in a real `fit`: the files that it leaves, and its behavior on errors."""

from __future__ import annotations

import io
import itertools
import logging
import re
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from tb_activations import LayerHealth, LayerHealthError, load
from tb_activations.records.finding import Finding
from tests.clocked import clocked
from tests.health.trainings import replay
from tests.training.models import Trainable, digits, small, train

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")


def dying() -> Trainable:
    """A network whose second hidden layer is dead from the start."""
    x, y = digits()
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(16, "relu", name="alive"),
            layers.Dense(16, "relu", bias_initializer=keras.initializers.Constant(-20), name="dead"),
            layers.Dense(10, name="head"),
        ]
    )
    return model, x.reshape(len(x), 64), y


@pytest.fixture
def log_dir(tmp_path: Path) -> str:
    return str(tmp_path / "run")


def test_stock_tabs_have_scalars_histograms_and_pictures(log_dir: str) -> None:
    train("sequential", [LayerHealth(log_dir, update_freq=2, histogram_freq=1, image_freq=1)], epochs=3)
    events = EventAccumulator(log_dir, size_guidance={"tensors": 0}).Reload()
    tags = events.Tags()["tensors"]
    expected = {"gradient_norm/conv", "activation/hidden", "gradient/hidden", "feature_maps/conv", "units/hidden"}
    assert expected <= set(tags)
    assert len(events.Tensors("gradient_norm/conv")) == 12
    run = load(log_dir)
    norms = [float(tensor_util.make_ndarray(event.tensor_proto)) for event in events.Tensors("gradient_norm/conv")]
    np.testing.assert_array_equal(norms, run.stat("weight_gradient_norm")[:, run.layers.index("conv")])
    buckets = tensor_util.make_ndarray(events.Tensors("activation/hidden")[-1].tensor_proto)
    assert buckets[:, 2].sum() == pytest.approx(32 * 32)
    assert len(events.Tensors("units/hidden")) == 3
    width, height, png = tensor_util.make_ndarray(events.Tensors("feature_maps/conv")[0].tensor_proto)[:3]
    assert Image.open(io.BytesIO(png)).size == (int(width), int(height))
    description = events.SummaryMetadata("feature_maps/conv").summary_description
    assert re.search(r"\d.* to \d", description)


def test_stock_summaries_can_be_switched_off(log_dir: str) -> None:
    train(small, [LayerHealth(log_dir, update_freq=2, stock_summaries=False)], epochs=1)
    tags = EventAccumulator(log_dir).Reload().Tags()["tensors"]
    assert all(tag.startswith("layer_health/") for tag in tags)


def test_without_histograms_and_images_none_are_written(log_dir: str) -> None:
    train("sequential", [LayerHealth(log_dir, update_freq=2, histogram_freq=0, image_freq=0)], epochs=1)
    tags = EventAccumulator(log_dir).Reload().Tags()["tensors"]
    assert not [tag for tag in tags if re.match("layer_health/histograms|activation/|feature_maps/|units/", tag)]


def test_a_dead_layer_is_found_during_training_said_once_and_judged_so_from_its_file(
    log_dir: str, caplog: pytest.LogCaptureFixture
) -> None:
    callback = LayerHealth(log_dir, update_freq=1)
    during: list[tuple[Finding, ...]] = []
    look = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: during.append(callback.findings))
    with caplog.at_level(logging.WARNING, "tb_activations"):
        train(dying, [callback, look], epochs=5)
    dead = [finding for finding in callback.findings if finding.rule == "dead_units" and finding.layer == "dead"]
    assert len(dead) == 1
    assert dead[0].unit_count == 16
    assert dead[0].since_step == 0
    assert any(finding.layer == "dead" for finding in during[-1])
    assert sum("dead" in record.message and "16 of 16" in record.message for record in caplog.records) == 1
    run = load(log_dir)
    again = replay(run.spec, run.records())
    assert tuple(again.findings) == callback.findings == run.findings
    np.testing.assert_array_equal(again.outcomes, run.outcomes[-1])


def test_on_problem_stop_ends_the_training(log_dir: str) -> None:
    train(dying, [stop := LayerHealth(log_dir, update_freq=1, on_problem="stop")], epochs=20)
    assert stop.findings
    assert load(log_dir).steps[-1] < 8 * 20 - 1


def test_on_problem_raise_names_the_finding(log_dir: str) -> None:
    with pytest.raises(LayerHealthError, match="16 of 16") as raised:
        train(dying, [LayerHealth(log_dir, update_freq=1, on_problem="raise")], epochs=20)
    assert raised.value.finding.layer == "dead"


def test_on_problem_calls_a_function(log_dir: str) -> None:
    seen: list[Finding] = []
    train(dying, [LayerHealth(log_dir, update_freq=1, on_problem=seen.append)], epochs=5)
    assert "dead" in {finding.layer for finding in seen}


def test_a_second_fit_goes_on_where_the_first_ended(log_dir: str) -> None:
    x, y = digits()
    keras.utils.clear_session(free_memory=False)
    model, _, _ = small()
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    callback = LayerHealth(log_dir, update_freq=4)
    for _ in range(2):
        model.fit(x, y, batch_size=32, verbose=0, callbacks=[callback])
    assert load(log_dir).steps.tolist() == [0, 4, 8, 12]
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(x, y, batch_size=32, verbose=0, callbacks=[callback])
    steps = load(log_dir).steps
    assert (np.diff(steps) > 0).all()
    assert len(steps) == 6


def test_fit_in_a_loop_keeps_to_the_overhead(log_dir: str) -> None:
    # Every reading of the clock takes half a second, so the first training uses up what is free.
    callback = clocked(LayerHealth(log_dir, image_freq=0, histogram_freq=0), itertools.count(0.0, 0.5).__next__)
    model, x, y = small()
    counts: list[int] = []
    for is_compiled in (True, False, False, True):
        if is_compiled:
            model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
        before = len(load(log_dir).steps) if counts else 0
        model.fit(x, y, batch_size=4, verbose=0, callbacks=[callback])
        counts.append(len(load(log_dir).steps) - before)
    assert max(counts[1:3]) < 5
    # Another compiled step is another training to be judged.
    assert min(counts[0], counts[3]) > 10


@pytest.mark.parametrize("is_same_model", [True, False])
def test_a_second_fit_has_histograms_and_pictures(log_dir: str, is_same_model: bool) -> None:
    callback, (model, x, y) = LayerHealth(log_dir), small()
    for _ in range(2):
        model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
        model.fit(x[:64], y[:64], batch_size=32, epochs=3, verbose=0, callbacks=[callback])
        if not is_same_model:
            model = small()[0]
    folder, begin = (log_dir, 6) if is_same_model else (f"{log_dir}-2", 0)
    events = EventAccumulator(folder, size_guidance={"tensors": 0}).Reload()
    for tag in ("activation/hidden", "units/hidden"):
        assert [event.step for event in events.Tensors(tag) if event.step >= begin] == [begin + 1, begin + 3, begin + 5]


def test_layers_can_be_chosen(log_dir: str) -> None:
    train(small, [LayerHealth(log_dir, layers=["hidden", "head"], update_freq=4)], epochs=1)
    assert load(log_dir).layers == ("hidden", "head")


def test_a_folder_that_goes_away_never_stops_the_training(log_dir: str, caplog: pytest.LogCaptureFixture) -> None:
    def remove(epoch: int, logs: Any) -> None:
        if epoch != 1:
            return
        shutil.rmtree(log_dir)
        with open(log_dir, "w") as file:
            file.write("in the way")

    alone = train(small, [], epochs=3).get_weights()
    callback = LayerHealth(log_dir, update_freq=1)
    with caplog.at_level(logging.WARNING, "tb_activations"):
        broken = keras.callbacks.LambdaCallback(on_epoch_begin=remove)
        model = train(small, [callback, broken], epochs=3)
    for one, other in zip(alone, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_recording_that_fails_is_said_once_and_training_goes_on(
    log_dir: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tb_activations.recording.folder.writer import RunWriter

    def full(*_args: Any) -> None:
        raise OSError("no space left on device")

    alone = train(small, []).get_weights()
    monkeypatch.setattr(RunWriter, "write", full)
    with caplog.at_level(logging.WARNING, "tb_activations"):
        model = train(small, [LayerHealth(log_dir, update_freq=1)])
    logged = [record.message for record in caplog.records if "no space left" in record.message]
    assert len(logged) == 1
    assert "Training continues" in logged[0]
    for one, other in zip(alone, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


class TestArguments:
    """Invalid arguments are rejected before the first step; the error has name, received value and allowed values."""

    def test_log_dir_that_is_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "taken"
        path.write_text("")
        with pytest.raises(ValueError, match=r"`log_dir`.*taken.*is a file.*folder"):
            LayerHealth(path)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"overhead": -1}, "`overhead`.*-1.*above 0"),
            ({"update_freq": "often"}, '`update_freq`.*\'often\'.*"auto", "sparse", "batch", "epoch"'),
            ({"histogram_freq": -2}, "`histogram_freq`.*-2.*number of epochs"),
            ({"image_freq": "never"}, "`image_freq`.*'never'.*0 for never"),
            ({"rules": ["dead_unit"]}, "`rules`.*'dead_unit'.*dead_units"),
            ({"on_problem": "panic"}, '`on_problem`.*\'panic\'.*"warn", "stop", "raise"'),
            ({"layers": "dense("}, "`layers`.*dense.*regular expression"),
        ],
    )
    def test_bad_values(self, tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            LayerHealth(tmp_path, **arguments)

    @pytest.mark.parametrize("value", [3, [1, 2], []])
    def test_layers_of_another_kind(self, tmp_path: Path, value: Any) -> None:
        with pytest.raises(TypeError, match=r"`layers`.*names"):
            LayerHealth(tmp_path, layers=value)

    def test_an_unknown_layer_is_refused_before_training(self, log_dir: str) -> None:
        trained: list[int] = []
        remember = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: trained.append(batch))
        with pytest.raises(ValueError, match=r"`layers`.*'convolution'.*'conv', 'norm'"):
            train("sequential", [LayerHealth(log_dir, layers=["convolution"]), remember])
        assert trained == []


def test_metrics_of_every_epoch_are_recorded(log_dir: str) -> None:
    model, x, y = small()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        x[:64], y[:64], batch_size=32, epochs=3, verbose=0, validation_split=0.5, callbacks=[LayerHealth(log_dir)]
    )
    epochs = load(log_dir).epoch_metrics
    assert [(metrics.epoch, metrics.step) for metrics in epochs] == [(0, 0), (1, 1), (2, 2)]
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert [metrics.values[name] for metrics in epochs] == pytest.approx(history.history[name], rel=1e-6)


def test_metrics_of_a_fit_after_an_interrupted_one_are_recorded(log_dir: str) -> None:
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise KeyboardInterrupt

    model, x, y = small()
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    callback = LayerHealth(log_dir)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x[:64], y[:64], epochs=9, verbose=0, callbacks=[callback, Interrupt()])
    model.fit(x[:64], y[:64], epochs=3, verbose=0, callbacks=[callback])
    assert [metrics.epoch for metrics in load(log_dir).epoch_metrics] == [0, 1, 2, 0, 1, 2]
