"""`capture(model)`: every layer's output as a live tensor."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from tb_activations.taps.layer_calls import LayerCalls, recorded_calls
from tb_activations.taps.layers import LayerChoice


class LayerOutputs(Mapping[str, Any]):
    """Outputs of layers by name, filled as the layers are called.

    "name" is the output of a layer's last call. A layer called more than once also has "name@1", "name@2", ..., one
    per call. Calls inside another graph (a loop, a condition, another `tf.function`) are left out: their tensors
    cannot be used outside that graph.

    Raises:
        KeyError: there is no output of that name; the message lists the names.
    """

    def __init__(self, calls: LayerCalls) -> None:
        self._calls = calls

    def __getitem__(self, name: str) -> Any:
        named = self._calls.by_name()
        if name not in self:
            known = f"the names are {', '.join(map(repr, named))}" if named else "no layer was called"
            raise KeyError(f"no layer output named {name!r}; {known}")
        return named[name].output

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._calls.by_name()

    def __iter__(self) -> Iterator[str]:
        return iter(self._calls.by_name())

    def __len__(self) -> int:
        return len(self._calls.by_name())

    def __repr__(self) -> str:
        return f"<LayerOutputs of {', '.join(self) or 'no layer'}>"


@contextlib.contextmanager
def capture(model: keras.Model, layers: LayerChoice = None) -> Iterator[LayerOutputs]:
    """Captures every layer's output while the block runs.

    ```python
    with capture(model) as seen:
        y = model(x)
    seen["dense"]                       # the live tensor: usable in a loss, also inside a tf.function
    ```

    Args:
        model: any Keras model. Layers that its first call creates are captured from the second call on.
        layers: layer names, a regular expression, or a function from a layer to a bool; None captures all.

    Yields:
        A mapping from layer name to that layer's output, in call order, as the layer returned it: a tensor or a
        structure of tensors. A name is the path from the model down to the layer, joined by "/". "name" is the last
        call of a layer; a layer called more than once also has "name@1", "name@2", ... RNN cells are left out.

    Raises:
        ValueError: `layers` names a layer that the model does not have.
    """
    with recorded_calls(model, layers) as calls:
        yield LayerOutputs(calls)
