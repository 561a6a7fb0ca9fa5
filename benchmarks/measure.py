"""Times plain and observed training of one model in turns."""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from benchmarks.in_turns import InTurn, Turns, run
from benchmarks.models import Workload
from tb_activations import LayerHealth, load

TURN_SECONDS = 1
"""Of plain training in a turn: the machine is slower for some seconds, then faster again."""
FEWEST_STEPS = 8
"""Of a turn: it ends when its last record is judged, which another step would hide."""
EVERY, QUICK, SOME = (7, 30, 60), (7, 15, 20), (1, 10, 20)
"""Turns at least, at most, and seconds of plain training for a factor: where every step is observed, the same in a
hurry, and where some steps are.
"""
LONGEST = 600
"""Seconds of plain training in a turn that is measured."""
INTERVALS = (1, 4, 16, 64, 256)


@dataclasses.dataclass(frozen=True)
class Factor:
    """Time of observed training divided by that of plain training, turn by turn; the seconds of a plain step, median of
    the turns; and the seconds that the observed training took longer to end.
    """

    ratios: tuple[float, ...]
    plain_step: float
    end: float

    @property
    def middle(self) -> float:
        return float(np.median(self.ratios))

    def __str__(self) -> str:
        if len(self.ratios) == 1:
            return f"{self.middle:.2f}"
        low, high = np.quantile(self.ratios, (0.1, 0.9))
        return f"{self.middle:.2f} ({low:.2f}-{high:.2f})"


@dataclasses.dataclass(frozen=True)
class Measured:
    """Results of one model: seconds of a plain step, factor by interval, factor of unobserved steps, seconds that an
    epoch takes longer to end if every step is observed, seconds of the first step, bytes of a record with what ends
    epochs.
    """

    plain_step: float
    factors: dict[int, Factor | None]
    unobserved: Factor
    end: float
    plain_first: float
    observed_first: float
    record_bytes: float


class Pair:
    """Two trainings of the same model on the same data.

    Args:
        make: makes the model and its data.
        jit_compile: whether XLA compiles the steps.
    """

    def __init__(self, make: Callable[[], Workload], jit_compile: bool) -> None:
        self._trainings = [self._training(make, jit_compile) for _ in range(2)]

    @staticmethod
    def _training(make: Callable[[], Workload], jit_compile: bool) -> tuple[keras.Model, tf.data.Dataset]:
        keras.utils.set_random_seed(0)
        model, x, y, batch = make()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, jit_compile=jit_compile)
        data = tf.data.Dataset.from_tensor_slices((x, y)).repeat().batch(batch, drop_remainder=True).prefetch(2)
        return model, data

    def train(self, number: int, steps: int, *callbacks: keras.callbacks.Callback) -> float:
        """Trains the first or the second model in one epoch of so many steps; returns the seconds of a step."""
        model, data = self._trainings[number]
        start = time.perf_counter()
        model.fit(data, steps_per_epoch=steps, verbose=0, callbacks=list(callbacks))
        return (time.perf_counter() - start) / steps

    def compare(self, health: LayerHealth, steps: int, turns: int) -> Factor:
        """Trains the first model plain and the second one with this callback, in turns of so many steps."""
        shared = Turns(2)
        in_turn = [InTurn(shared, 0, steps), InTurn(shared, 1, steps, settle=lambda: health.findings)]
        total = steps * turns
        run([lambda: self.train(0, total, in_turn[0]), lambda: self.train(1, total, health, in_turn[1])], in_turn)
        plain, observed = (np.array(one.seconds) for one in in_turn)
        ratios = tuple((observed / plain)[:turns].tolist())
        return Factor(ratios, float(np.median(plain[:turns])) / steps, float(observed[turns] - plain[turns]))


def measure(make: Callable[[], Workload], jit_compile: bool, *, is_quick: bool = False) -> Measured:
    """Trains the model plain and observed; everything is traced before it is compared.

    `is_quick` takes fewer turns, and observes every step or none.
    """
    intervals, every_turns = ((1,), QUICK) if is_quick else (INTERVALS, EVERY)
    keras.utils.clear_session()
    pair = Pair(make, jit_compile)
    with tempfile.TemporaryDirectory() as folder:
        plain_first = pair.train(0, 1)
        plain_step = pair.train(0, FEWEST_STEPS)
        callbacks = {interval: LayerHealth(f"{folder}/{interval}", update_freq=interval) for interval in intervals}
        observed_first = pair.train(1, 1, callbacks[1])
        factors = {
            interval: _factor(pair, callback, interval, plain_step, every_turns if interval == 1 else SOME)
            for interval, callback in callbacks.items()
        }
        unobserved = _factor(pair, LayerHealth(f"{folder}/never", update_freq=10**9), 1, plain_step, SOME)
        every = factors[1]
        if every is None or unobserved is None:
            raise ValueError(f"{FEWEST_STEPS} plain steps take longer than {LONGEST} s.")
        size = _record_bytes(pathlib.Path(folder, "1"))
        return Measured(every.plain_step, factors, unobserved, every.end, plain_first, observed_first, size)


def _factor(
    pair: Pair, callback: LayerHealth, interval: int, plain_step: float, turns: tuple[int, int, float]
) -> Factor | None:
    """None if a turn takes too long."""
    steps = max(round(TURN_SECONDS / plain_step), FEWEST_STEPS)
    steps = -(-steps // interval) * interval
    turn = steps * plain_step
    if turn > LONGEST:
        return None
    # Traces both kinds of steps.
    pair.train(1, min(interval, FEWEST_STEPS) + 1, callback)
    fewest, most, seconds = turns
    return pair.compare(callback, steps, min(max(round(seconds / turn), fewest), most))


def _record_bytes(folder: pathlib.Path) -> float:
    size = sum(path.stat().st_size for path in folder.glob("*tfevents*"))
    return size / len(load(str(folder)).steps)
