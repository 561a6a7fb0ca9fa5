"""The arguments that `LayerHealth` and `Recorder` share."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import keras
import pytest

from tb_activations import LayerHealth, Recorder
from tb_activations.recording.settings import Settings, checked_settings

SHARED = {
    "update_freq",
    "overhead",
    "layers",
    "histogram_freq",
    "image_freq",
    "probe_data",
    "images",
    "image_scale",
    "rules",
    "sample_id",
    "on_problem",
    "stock_summaries",
}


def settings(tmp_path: Path, **arguments: Any) -> Settings:
    usual: dict[str, Any] = {
        "log_dir": tmp_path / "run",
        "update_freq": "auto",
        "overhead": 0.02,
        "layers": None,
        "histogram_freq": "auto",
        "image_freq": "auto",
        "rules": None,
        "on_problem": "warn",
        "stock_summaries": True,
    }
    return checked_settings(**(usual | arguments))


def test_both_constructors_share_names_and_defaults() -> None:
    callback, recorder = (inspect.signature(kind).parameters for kind in (LayerHealth, Recorder))
    assert set(callback) - {"log_dir"} == SHARED
    assert set(recorder) >= SHARED
    for name in SHARED:
        assert callback[name].default == recorder[name].default
        assert callback[name].kind is recorder[name].kind is inspect.Parameter.KEYWORD_ONLY


def test_no_clock_is_an_argument() -> None:
    for kind in (LayerHealth, Recorder):
        assert not [name for name in inspect.signature(kind).parameters if "clock" in name]


@pytest.mark.parametrize(("given", "expected"), [("auto", "auto"), ("epoch", 1), (0, 0), (3, 3)])
def test_frequencies_in_epochs(given: Any, expected: Any, tmp_path: Path) -> None:
    made = settings(tmp_path, image_freq=given, histogram_freq=given)
    assert (made.image_freq, made.histogram_freq) == (expected, expected)


@pytest.mark.parametrize("name", ["image_freq", "histogram_freq"])
@pytest.mark.parametrize("value", [-1, 1.5, True, "batch", None])
def test_other_frequencies_are_refused(name: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"`{name}`: {value!r}. Allowed: "):
        settings(tmp_path, **{name: value})


def test_only_automatic_snapshots_are_limited(tmp_path: Path) -> None:
    assert settings(tmp_path, overhead=0.1).snapshot_overhead == 0.1
    assert settings(tmp_path, overhead=0.1, image_freq=2).snapshot_overhead is None


def test_a_bad_argument_leaves_no_folder(tmp_path: Path) -> None:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    for make in (LayerHealth, lambda folder, **bad: Recorder(folder, model, **bad)):
        with pytest.raises(ValueError, match=r"`on_problem`: 'shout'\. Allowed: "):
            make(tmp_path / "run", on_problem="shout")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
