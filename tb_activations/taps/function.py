"""`capture(model)`: every layer's output as a live tensor."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from tb_activations.taps import taps
from tb_activations.taps.layers import LayerChoice, check_choice, choose_layers, find_layers


class Seen(Mapping[str, Any]):
    """Outputs of layers by name, filled as the layers are called.

    A layer that was called several times has its calls as "name@1", "name@2", ... and the last of them as "name".
    Calls in a graph of their own (inside a loop, a condition, another `tf.function`, or while Keras works out shapes)
    are left out, since their tensors cannot leave it.
    """

    def __init__(self) -> None:
        self._graph = taps.current_graph()
        self._calls: dict[str, list[Any]] = {}

    def _add(self, name: str, output: Any) -> Any:
        if taps.current_graph() is self._graph:
            self._calls.setdefault(name, []).append(output)
        return output

    def __getitem__(self, name: str) -> Any:
        layer, _, call = name.rpartition("@")
        if call.isdigit() and len(self._calls.get(layer, ())) > 1:
            return self._calls[layer][int(call) - 1]
        if name not in self._calls:
            raise KeyError(f"{name!r} was not called; the layers called are {', '.join(map(repr, self)) or 'none'}")
        return self._calls[name][-1]

    def __iter__(self) -> Iterator[str]:
        for name, outputs in self._calls.items():
            yield name
            if len(outputs) > 1:
                yield from (f"{name}@{call}" for call in range(1, len(outputs) + 1))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@contextlib.contextmanager
def capture(model: keras.Model, layers: LayerChoice = None) -> Iterator[Seen]:
    """Sees every layer's output while the block runs.

    ```python
    with capture(model) as seen:
        y = model(x)
    seen["dense"]                       # the live tensor: usable in a loss, also inside a tf.function
    ```

    Args:
        model: any Keras model. Layers that its first call would create are seen from the second call on.
        layers: layer names, a regular expression, or a function from a layer to a bool; None sees all.

    Yields:
        A mapping from layer name to that layer's output, in call order, as the layer returned it: a tensor or a
        structure of tensors. Names are those from the model down to the layer, joined by "/"; cells of RNNs are left
        out.

    Raises:
        ValueError: `layers` names a layer that the model does not have.
    """
    check_choice(layers)
    seen = Seen()
    # A cell is called once a timestep inside a loop; in eager code each call would be seen, in a graph none.
    chosen = [entry for entry in choose_layers(find_layers(model), layers) if not (entry.is_cell or entry.is_container)]
    with taps.installed(taps.after(entry.layer, "call", functools.partial(seen._add, entry.name)) for entry in chosen):
        yield seen
