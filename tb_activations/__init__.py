"""Layer health for Keras 3: which layers are unhealthy, why, since when, and what to try.

Train:

- `LayerHealth(log_dir)`: the Keras callback for `fit`.
- `Recorder(log_dir, model)`: the same for a custom training loop.
- `LayerHealthError`: raised by `on_problem="raise"`.

Inspect a model:

- `capture(model)`: every layer's output as a live tensor.
- `probe`: activations, gradients, saliency and more, on demand.

Read recorded runs, without TensorFlow:

- `load(path)`: a run (`RecordedRun`, a `Run`) as NumPy arrays, with its findings (`Finding`, `Severity`); of a folder
  with several runs, `Runs`.
- `runs(logdir)`: the runs below a directory, without reading them.
- `testing`: comparing runs in tests.

Tell others:

- `integrations`: experiment trackers, a webhook, hyperparameter searches.

Every name is imported on first use, because TensorBoard imports this package at startup to find the plugin.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tb_activations import integrations as integrations
    from tb_activations import probe as probe
    from tb_activations import testing as testing
    from tb_activations.callback import LayerHealth as LayerHealth
    from tb_activations.events.run import Run as Run
    from tb_activations.reading.load import load as load
    from tb_activations.reading.recorded_run import RecordedRun as RecordedRun
    from tb_activations.reading.runs import Runs as Runs
    from tb_activations.reading.stored_runs import runs as runs
    from tb_activations.recorder import Recorder as Recorder
    from tb_activations.recording.announce import LayerHealthError as LayerHealthError
    from tb_activations.records.finding import Finding as Finding
    from tb_activations.records.finding import Severity as Severity
    from tb_activations.taps.function import capture as capture

__version__ = "0.9.12"
__all__ = [
    "Finding",
    "LayerHealth",
    "LayerHealthError",
    "RecordedRun",
    "Recorder",
    "Run",
    "Runs",
    "Severity",
    "__version__",
    "capture",
    "integrations",
    "load",
    "probe",
    "runs",
    "testing",
]

_HOMES = {
    "Finding": "records.finding",
    "LayerHealth": "callback",
    "LayerHealthError": "recording.announce",
    "RecordedRun": "reading.recorded_run",
    "Recorder": "recorder",
    "Run": "events.run",
    "Runs": "reading.runs",
    "Severity": "records.finding",
    "capture": "taps.function",
    "integrations": "",
    "load": "reading.load",
    "probe": "",
    "runs": "reading.stored_runs",
    "testing": "",
}
"""The module of each public name; "" for a name that is itself a module."""

_TRAINING = ("tensorflow", "keras")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}; its public names are {', '.join(__all__)}"
        )
    try:
        module = importlib.import_module(f"{__name__}.{_HOMES[name] or name}")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _TRAINING:
            raise
        raise ImportError(
            f"{__name__}.{name} needs TensorFlow and Keras, but {error.name} is not installed. "
            'Install them with: pip install "tb-activations[tensorflow]"'
        ) from error
    value = getattr(module, name) if _HOMES[name] else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
