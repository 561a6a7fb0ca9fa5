"""A single bad sample in a training on digits: the finding names its row and its id."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_digits

from tb_activations import Finding, LayerHealth, load
from tb_activations.recording import sample_ids

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

BATCH = 32
STEPS = 30
RANDOM = np.random.default_rng(5)


def digits() -> tuple[Any, Any]:
    data = load_digits()
    return (data.images[: BATCH * STEPS] / 16).astype("float32")[..., None], data.target[: BATCH * STEPS].copy()


def network(*, with_norm: bool = False) -> keras.Model:
    keras.utils.set_random_seed(2)
    norm = [layers.BatchNormalization(name="norm")] if with_norm else []
    body = [layers.Conv2D(8, 3, activation="relu", name="conv"), *norm, layers.Flatten(), layers.Dense(10, name="head")]
    model = keras.Sequential([layers.Input((8, 8, 1)), *body])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
    return model


def findings_in(folder: Path, x: Any, y: Any, model: keras.Model | None = None, **arguments: Any) -> Sequence[Finding]:
    callback = LayerHealth(folder, update_freq=1, histogram_freq=0, image_freq=0, **arguments)
    (model or network()).fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[callback])
    return callback.findings


def planted(place: int) -> tuple[Any, Any]:
    """Digits with NaN in one pixel of one sample."""
    x, y = digits()
    x[place, 3, 4] = np.nan
    return x, y


def by_place(batch: Any, row: int) -> str:
    """The id of a sample whose target is its place."""
    return f"sample {int(batch[1][row])}"


@pytest.mark.parametrize("with_norm", [False, True], ids=["plain", "batch normalization"])
def test_a_row_with_nan_is_named(tmp_path: Path, with_norm: bool) -> None:
    place = 5 * BATCH + 17
    findings = findings_in(tmp_path / "run", *planted(place), network(with_norm=with_norm))
    (root,) = [one for one in findings if one.rule == "nonfinite_data"]
    assert (root.sample_row, root.since_step) == (17, 5)
    assert "Row 17 of that batch is the first that is not finite." in root.message
    assert {one.sample_row for one in findings if one.rule == "nonfinite" and one.since_step == 5} == {17}


@pytest.fixture(scope="module")
def with_ids(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training with a bad sample, whose samples have ids."""
    folder = tmp_path_factory.mktemp("logs") / "run"
    findings_in(folder, *planted(3 * BATCH + 9), sample_id=lambda batch, row: f"digit {row + 3 * BATCH}")
    return folder


def test_the_row_survives_the_file(with_ids: Path) -> None:
    stored = [one for one in load(with_ids).findings if one.rule == "nonfinite_data"]
    assert [(one.sample_row, one.sample_id) for one in stored] == [(9, "digit 105")]
    assert stored[0].message.endswith("Its id is digit 105.")


def test_the_image_is_kept(with_ids: Path) -> None:
    run = load(with_ids)
    (tag,) = [tag for tag in run.image_tags if tag.startswith("bad_samples/")]
    assert (tag, [image.step for image in run.images(tag)]) == ("bad_samples/nonfinite_data", [3])


def test_ids_come_from_the_batch_of_the_step(tmp_path: Path) -> None:
    seen: list[tuple[Any, int]] = []

    def name(batch: Any, row: int) -> str:
        seen.append((np.asarray(batch[0]), row))
        return "x"

    findings_in(tmp_path / "run", *planted(7 * BATCH + 30), sample_id=name)
    assert seen
    for images, row in seen:
        assert np.isnan(images[row]).any()


def test_no_batch_is_kept_after_its_step(tmp_path: Path) -> None:
    alive: list[weakref.ref[Any]] = []

    def remember(batch: Any, row: int) -> str:
        alive.append(weakref.ref(batch[0]))
        return by_place(batch, row)

    x, y = planted(5 * BATCH + 17)
    callback = LayerHealth(tmp_path, update_freq=1, histogram_freq=0, image_freq=0, sample_id=remember)
    network().fit(x[: 6 * BATCH], y[: 6 * BATCH], batch_size=BATCH, shuffle=False, verbose=0, callbacks=[callback])
    assert callback.findings
    gc.collect()
    # The bad batch was that of the last step.
    assert [kept() for kept in alive] == [None] * len(alive) != []


def test_a_function_that_fails_costs_only_the_ids(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "tb_activations"):
        findings = findings_in(tmp_path / "run", *planted(70), sample_id=lambda batch, row: batch["id"])
    assert [one.sample_row for one in findings if one.rule == "nonfinite_data"] == [6]
    assert sum("sample_id failed" in message for message in caplog.messages) == 1


def test_a_function_without_an_end_costs_only_the_ids(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_ids, "ASK_SECONDS", 0.2)
    is_over = threading.Event()
    findings = findings_in(tmp_path, *planted(17), sample_id=lambda batch, row: is_over.wait(60))
    is_over.set()
    assert {finding.sample_row for finding in findings} >= {17}
    assert not any(finding.sample_id for finding in findings)
    assert "sample_id failed for row 17 (no end within 0.2 seconds)" in caplog.text
    assert load(tmp_path).steps.tolist() == list(range(STEPS))


def test_anything_but_a_function_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="sample_id"):
        LayerHealth(tmp_path / "run", sample_id="id")  # type: ignore[arg-type]


def mislabeled(x: Any, y: Any, place: int) -> None:
    y[place] = (y[place] + 5) % 10


def blacked_out(x: Any, y: Any, place: int) -> None:
    x[place] = 0


def lost(x: Any, y: Any, place: int) -> None:
    x[place, 3, 4] = np.nan


@pytest.fixture(scope="module")
def learned() -> keras.Model:
    """A network that has learned the digits."""
    model = network()
    model.compile(keras.optimizers.Adam(0.01), model.loss, jit_compile=False)
    model.fit(*digits(), batch_size=BATCH, epochs=25, verbose=0)
    return model


@pytest.mark.parametrize("spoil", [mislabeled, blacked_out, lost])
def test_the_planted_row_is_found(spoil: Callable[[Any, Any, int], None], learned: keras.Model, tmp_path: Path) -> None:
    x, y = digits()
    rows = RANDOM.integers(0, BATCH, STEPS)
    for step, row in enumerate(rows):
        spoil(x, y, step * BATCH + row)
    model = keras.models.clone_model(learned)
    model.set_weights(learned.get_weights())
    # Nothing is learned: each step has the same network and another bad sample.
    model.compile(keras.optimizers.SGD(0.0), learned.loss, jit_compile=False)
    findings_in(tmp_path / "run", x, y, model)
    run = load(tmp_path / "run")
    column = "input_row" if spoil is lost else "gradient_row"
    found = run.step_stat(column)
    assert len(found) == STEPS
    assert (found == rows).mean() >= 0.95
