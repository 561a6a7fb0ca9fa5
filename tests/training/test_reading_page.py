"""The examples of `docs/reading.md` run unchanged, the notebook in IPython."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from tb_activations import LayerHealth, load
from tests.training.models import digits

PAGE = (Path(__file__).parents[2] / "docs/reading.md").read_text("utf-8")


# Keras' callback converts variables in a way that NumPy deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    reading, listing, tables, live = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    space = train_as_shown()
    capsys.readouterr()
    exec(reading, space)
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.S)
    assert without_numbers(capsys.readouterr().out) == without_numbers(shown)
    exec(listing, space)
    assert capsys.readouterr().out.startswith("run-1 ")
    exec(tables, space)
    assert space["accuracy"].steps.tolist() == [0, 1]

    InteractiveShell.instance()
    with capture_output() as captured:
        exec(live, space)
    cards = [output.data["text/html"] for output in captured.outputs if "text/html" in output.data]
    assert len(cards) == 2
    assert cards[0] != cards[1]
    run = load("logs/run-2")
    assert run.verdict.sentence in cards[1]
    assert f"{len(run.steps)} steps observed" in cards[1]


def train_as_shown() -> dict[str, Any]:
    """Trains the model that the page reads, with Keras' own callback in the same folder."""
    keras.utils.set_random_seed(0)
    x, y = digits(160)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(16, "relu")], name="digits"
    )
    model.add(keras.layers.Dense(10, name="head"))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], jit_compile=False)
    callbacks = [LayerHealth("logs/run-1", update_freq=1), keras.callbacks.TensorBoard("logs/run-1")]
    model.fit(x, y, batch_size=16, epochs=2, verbose=0, callbacks=callbacks)
    return {"model": model, "x": x, "y": y}


def without_numbers(text: str) -> str:
    return re.sub(r"\d+\.?\d*", "#", text)
