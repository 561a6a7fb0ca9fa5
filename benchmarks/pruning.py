"""Searches hyperparameters on scikit-learn's digits with and without `LayerHealthPruner`, and compares the two.

Both searches try the same trials: a random sampler with a fixed seed does not depend on results, and each trial seeds
its own training. Times are processor times, so other programs do not count.

    python -m benchmarks.pruning [TRIALS [EPOCHS]]

What the pruner costs does not depend on the length of a trial: about two seconds, most of them to trace the observed
step. What it saves does, so trials of a few seconds are too short for it.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

TRIALS, EPOCHS, BATCH, SEED = 60, 120, 32, 0
PROMISED = 0.30
"""Share of the time that the pruner must save."""

LIGHT = {"histogram_freq": 0, "image_freq": 0, "stock_summaries": False}
"""A search needs the verdict only."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One trial: what it tried, its best validation accuracy or NaN, its epochs, and its processor time in seconds."""

    number: int
    params: dict[str, Any]
    score: float
    epochs: int
    seconds: float
    reason: str


def network(trial: Any) -> Any:
    """A network from a space in which some corners are sick, as the spaces of first searches are."""
    import keras
    from keras import layers

    activation = trial.suggest_categorical("activation", ["relu", "tanh", "sigmoid"])
    depth = trial.suggest_int("depth", 2, 8)
    width = trial.suggest_categorical("width", [32, 64, 128])
    rate = trial.suggest_float("learning_rate", 1e-4, 1.0, log=True)
    name = trial.suggest_categorical("optimizer", ["adam", "momentum"])
    scale = trial.suggest_categorical("initializer", ["glorot_uniform", "he_normal", "random_normal"])
    body = [
        layers.Conv2D(16, 3, padding="same", activation=activation, kernel_initializer=scale),
        layers.MaxPooling2D(),
        layers.Flatten(),
        *(layers.Dense(width, activation, kernel_initializer=scale) for _ in range(depth)),
    ]
    model = keras.Sequential([layers.Input((8, 8, 1)), *body, layers.Dense(10)])
    optimizer = keras.optimizers.Adam(rate) if name == "adam" else keras.optimizers.SGD(rate, momentum=0.9)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=False)
    return model


def searched(folder: Path | None, trials: int, epochs: int) -> list[Outcome]:
    """The outcomes of a search, in order; `folder` takes the recordings of a search with the pruner."""
    import keras
    import optuna
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    from tb_activations.integrations import LayerHealthPruner

    digits = load_digits()
    images = (digits.images[..., None] / 16).astype("float32")
    x, held_x, y, held_y = train_test_split(images, digits.target, test_size=0.3, random_state=0)
    outcomes: list[Outcome] = []

    def objective(trial: Any) -> float:
        begun, reached = time.process_time(), []
        keras.utils.set_random_seed(trial.number)
        model = network(trial)
        callbacks: list[Any] = [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: reached.append(logs))]
        if folder is not None:
            callbacks.append(LayerHealthPruner(folder, trial=trial, **LIGHT))
        reason = ""
        try:
            model.fit(
                x, y, batch_size=BATCH, epochs=epochs, verbose=0, validation_data=(held_x, held_y), callbacks=callbacks
            )
        except optuna.TrialPruned as pruned:
            reason = str(pruned)
            raise
        finally:
            score = max(logs["val_accuracy"] for logs in reached)
            seconds = time.process_time() - begun
            outcomes.append(Outcome(trial.number, trial.params, score, len(reached), seconds, reason))
            print(f"{len(outcomes):3d} {score:.3f} {len(reached):3d} epochs {seconds:5.1f} s {reason}", flush=True)
            keras.backend.clear_session()
        return float(score)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # The reason is part of the outcome.
    logging.getLogger("tb_activations").setLevel(logging.ERROR)
    sampler = optuna.samplers.RandomSampler(seed=SEED)
    optuna.create_study(direction="maximize", sampler=sampler).optimize(objective, n_trials=trials)
    return outcomes


def best(outcomes: Sequence[Outcome]) -> Outcome:
    """The best trial that was not pruned."""
    return max((one for one in outcomes if not one.reason), key=lambda one: one.score)


def main() -> int:
    trials, epochs = (int(given) for given in [*sys.argv[1:], *map(str, (TRIALS, EPOCHS)[len(sys.argv) - 1 :])])
    with tempfile.TemporaryDirectory() as folder:
        print("With the pruner:")
        pruned = searched(Path(folder), trials, epochs)
    print("Without it:")
    plain = searched(None, trials, epochs)
    seconds = [sum(one.seconds for one in outcomes) for outcomes in (plain, pruned)]
    saved = 1 - seconds[1] / seconds[0]
    stopped = [one for one in pruned if one.reason]
    is_kept = best(pruned).number == best(plain).number and best(pruned).score == best(plain).score
    # The promise is about the best trial; how good the stopped ones would have become is printed too.
    would_be = max((plain[one.number].score for one in stopped), default=float("nan"))
    print(f"\n{platform.machine()}, Python {platform.python_version()}; {trials} trials of {epochs} epochs")
    print(f"Without the pruner: {seconds[0]:.0f} s; best trial {best(plain).number}, {best(plain).score:.4f}")
    print(f"With the pruner:    {seconds[1]:.0f} s; best trial {best(pruned).number}, {best(pruned).score:.4f}")
    print(f"Stopped: {len(stopped)} of {trials}; the best of these would have reached {would_be:.4f}")
    print(f"Saved: {saved:.0%} of the time (promised: {PROMISED:.0%}); best trial kept: {'yes' if is_kept else 'no'}")
    return 0 if saved >= PROMISED and is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
