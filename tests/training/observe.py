"""Observes a training with the taps alone, without rules and files."""

from __future__ import annotations

import time
from typing import Any

import keras

from tb_activations.taps.numbers.packed import PackedStep
from tb_activations.taps.numbers.values import StepValues
from tb_activations.taps.schedule.cadence import Cadence
from tb_activations.taps.step.dispatch import Dispatcher
from tb_activations.taps.step.observation import Options
from tb_activations.taps.step.observed_step import ObservedStep


class Observe(keras.callbacks.Callback):
    """Collects (step, values) of every observed step in `seen`."""

    def __init__(self, update_freq: int = 1, *, with_histograms: bool = True) -> None:
        super().__init__()
        self.seen: list[tuple[int, StepValues]] = []
        self._update_freq = update_freq
        self._options = Options(with_histograms=with_histograms, with_maps=with_histograms)

    def on_train_begin(self, logs: Any = None) -> None:
        model, options = self.model, self._options
        cadence = Cadence(self._update_freq, 0.02)
        self.dispatcher = Dispatcher(
            model,
            lambda: ObservedStep(model, None, options),
            cadence,
            time.perf_counter,
            lambda *_: True,
            self._take,
        )
        self.dispatcher.install()

    def on_train_end(self, logs: Any = None) -> None:
        self.dispatcher.remove()

    def _take(self, packed: PackedStep) -> None:
        self.seen.append((packed.step, packed.unpack()))


def value_of(seen: StepValues, layer: str, column: str, call_site: int = 0) -> float:
    """One value of one row."""
    for index, row in enumerate(seen.rows):
        if (row.call.name, row.call_site) == (layer, call_site):
            return float(seen.layers[column][index])
    raise KeyError(layer)
