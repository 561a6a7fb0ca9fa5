"""Where the user's program contains an operation of a graph."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

_MOST_FRAMES = 200

_PACKAGES = (Path(tf.__file__).parent, Path(keras.__file__).parent, Path(__file__).parents[2])
_LOSSES, _LAYERS = (str(Path(keras.__file__).parent / "src" / part) for part in ("losses", "layers"))
_STANDARD_LIBRARY = sysconfig.get_paths()["stdlib"]
_COMPREHENSIONS = frozenset({"<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>"})
_METHODS = frozenset({"call", "__call__"})


def place_of(operation: Any) -> str:
    """Where the program has the operation: the user's function and line, else the loss of Keras; "" if elsewhere."""
    frames = list(operation.traceback or ())[-_MOST_FRAMES:]
    own = max((place for place, frame in enumerate(frames) if not _is_library(frame.filename)), default=-1)
    if any(frame.filename.startswith(_LAYERS) for frame in frames[own + 1 :]):
        return ""
    inner = [frame.name for frame in frames[own + 1 :] if frame.filename.startswith(_LOSSES)]
    named = [name for name in inner if name not in _METHODS]
    if inner:
        return f"keras.losses.{named[-1]}" if named else ""
    # The line that calls `fit` is the outermost one, and says nothing.
    if own < 0 or not any(_is_library(frame.filename) for frame in frames[:own]):
        return ""
    frame = frames[own]
    is_cell = frame.filename.startswith("<") or "ipykernel" in frame.filename
    line = f"line {frame.lineno}" if is_cell else f"{Path(frame.filename).name}:{frame.lineno}"
    name = next((one.name for one in reversed(frames[: own + 1]) if one.name not in _COMPREHENSIONS), frame.name)
    return f"{name} ({line})"


def _is_library(file: str) -> bool:
    if any(file.startswith(f"{package}/") for package in _PACKAGES):
        return True
    return file.startswith(_STANDARD_LIBRARY) and "-packages" not in file
