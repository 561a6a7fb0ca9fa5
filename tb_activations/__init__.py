"""Layer health for Keras 3: which layers are sick, of what, since when, and what to try.

`LayerHealth(log_dir)` is the callback, `Recorder(log_dir, model)` the same for a loop of one's own, `capture(model)`
the live layer outputs, `load(logdir)` a stored run as numpy arrays. TensorBoard imports this package to find the
plugin, so nothing is loaded before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tb_activations.callback import LayerHealth as LayerHealth
    from tb_activations.events.reader import load as load
    from tb_activations.recorder import Recorder as Recorder
    from tb_activations.taps.function import capture as capture

__version__ = "0.4.0"
__all__ = ["LayerHealth", "Recorder", "__version__", "capture", "load"]

_HOMES = {"LayerHealth": "callback", "Recorder": "recorder", "capture": "taps.function", "load": "events.reader"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; public are {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
