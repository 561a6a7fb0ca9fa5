"""Times plain and observed training of one model in turns."""

from __future__ import annotations

import dataclasses
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable

import keras
import tensorflow as tf

from benchmarks.models import Workload
from tb_activations import LayerHealth, load

TURNS, OF_INTERVALS = 7, 3
"""Where every step is observed, and where some are: single turns on a shared machine differ twofold."""
TURN_SECONDS = 5
"""Of plain training in a turn. What a `fit` does once counts too: of 16 steps of the transformer, 1.3 s, it was 3 %."""
FEWEST, MOST = 16, 64
"""Steps of a turn."""
INTERVALS = (1, 4, 16, 64, 256)
SEEN_ONCE = 64
"""From this interval on there is a single turn."""


@dataclasses.dataclass(frozen=True)
class Factor:
    """Time of observed training divided by that of plain training, turn by turn."""

    ratios: tuple[float, ...]

    @property
    def middle(self) -> float:
        return statistics.median(self.ratios)

    def __str__(self) -> str:
        if len(self.ratios) == 1:
            return f"{self.middle:.2f}"
        return f"{self.middle:.2f} ({min(self.ratios):.2f}-{max(self.ratios):.2f})"


@dataclasses.dataclass(frozen=True)
class Measured:
    """Results of one model: seconds of a plain step, factor by interval, factor of unobserved steps, seconds of
    tracing, bytes of a record without pictures and histograms.
    """

    plain_step: float
    factors: dict[int, Factor]
    unobserved: Factor
    plain_tracing: float
    observed_tracing: float
    record_bytes: float


def measure(make: Callable[[], Workload], jit_compile: bool) -> Measured:
    """Trains the model repeatedly, plain and observed in turns; everything is traced before."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model, x, y, batch = make()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, jit_compile=jit_compile)
    data = tf.data.Dataset.from_tensor_slices((x, y)).repeat().batch(batch, drop_remainder=True).prefetch(2)

    def seconds(steps: int, *callbacks: keras.callbacks.Callback) -> float:
        start = time.perf_counter()
        model.fit(data, steps_per_epoch=steps, verbose=0, callbacks=list(callbacks))
        return (time.perf_counter() - start) / steps

    with tempfile.TemporaryDirectory() as folder:
        plain_tracing = seconds(1)
        plain_step = seconds(8)
        factors = {}
        observed_tracing = 0.0
        turn = min(max(round(TURN_SECONDS / plain_step), FEWEST), MOST)
        for interval in INTERVALS:
            callback = LayerHealth(f"{folder}/{interval}", update_freq=interval)
            warm = seconds(1, callback)
            observed_tracing = observed_tracing or warm
            factors[interval] = _in_turns(seconds, max(turn, interval), callback, _turns(interval))
        never = LayerHealth(f"{folder}/never", update_freq=10**9)
        seconds(1, never)
        return Measured(
            plain_step,
            factors,
            _in_turns(seconds, turn, never),
            plain_tracing - plain_step,
            observed_tracing - plain_step,
            _record_bytes(pathlib.Path(folder, "1")),
        )


def _turns(interval: int) -> int:
    return TURNS if interval == 1 else 1 if interval >= SEEN_ONCE else OF_INTERVALS


def _in_turns(
    seconds: Callable[..., float], steps: int, callback: keras.callbacks.Callback, turns: int = OF_INTERVALS
) -> Factor:
    pairs = [(seconds(steps, callback), seconds(steps)) for _ in range(turns)]
    return Factor(tuple(observed / plain for observed, plain in pairs))


def _record_bytes(folder: pathlib.Path) -> float:
    size = sum(path.stat().st_size for path in folder.glob("*tfevents*"))
    return size / len(load(str(folder)).steps)
