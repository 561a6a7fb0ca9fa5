"""Searches hyperparameters on scikit-learn's digits with and without `LayerHealthPruner`, and compares the two.

Both searches try the same trials: a random sampler with a fixed seed does not depend on results, and each trial seeds
its own training. They take turns, trial by trial, and times are processor times, so other programs count little.

    python -m benchmarks.pruning [TRIALS [EPOCHS]]

What the pruner costs does not depend on the length of a trial, but what it saves does: longer trials save more.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

TRIALS, EPOCHS, BATCH, SEED = 60, 60, 32, 0
PROMISED = 0.30
"""Share of the time that the pruner must save."""
LEARNED = 0.5
"""Accuracy from which a trial counts as having learned something; guessing reaches 0.1."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One trial: what it tried, its best validation accuracy or NaN, its steps, and its processor time in seconds."""

    number: int
    params: dict[str, Any]
    score: float
    steps: int
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


class Search:
    """A random search, trial by trial.

    Args:
        epochs: of each trial.
        folder: takes the recordings of a search with the pruner; None for a search without it.

    Attributes:
        outcomes: of the trials so far, in order.
    """

    def __init__(self, epochs: int, folder: Path | None) -> None:
        import optuna
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        digits = load_digits()
        images = (digits.images[..., None] / 16).astype("float32")
        self._data = train_test_split(images, digits.target, test_size=0.3, random_state=0)
        self._epochs, self._folder = epochs, folder
        self._study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=SEED))
        self.outcomes: list[Outcome] = []

    def next_trial(self) -> Outcome:
        """Runs one more trial."""
        self._study.optimize(self._objective, n_trials=1)
        return self.outcomes[-1]

    def _objective(self, trial: Any) -> float:
        import keras
        import optuna

        from tb_activations.integrations import LayerHealthPruner

        x, held_x, y, held_y = self._data
        begun, reached, reason = time.process_time(), [math.nan], ""
        keras.utils.set_random_seed(trial.number)
        model = network(trial)
        scores: Callable[..., None] = lambda epoch, logs: reached.append(logs["val_accuracy"])  # noqa: E731
        callbacks: list[Any] = [keras.callbacks.LambdaCallback(on_epoch_end=scores)]
        if self._folder is not None:
            callbacks.append(LayerHealthPruner(self._folder, trial=trial))
        options = {"batch_size": BATCH, "epochs": self._epochs, "verbose": 0, "validation_data": (held_x, held_y)}
        try:
            model.fit(x, y, callbacks=callbacks, **options)
        except optuna.TrialPruned as pruned:
            reason = str(pruned)
            raise
        finally:
            seconds, steps = time.process_time() - begun, int(model.optimizer.iterations.numpy())
            # NaN is never the largest unless it is alone.
            score = float(max(reached, key=lambda one: -1.0 if math.isnan(one) else one))
            self.outcomes.append(Outcome(trial.number, trial.params, score, steps, seconds, reason))
            keras.backend.clear_session()
        return score


def best(outcomes: Sequence[Outcome]) -> Outcome:
    """The best trial that was not pruned."""
    return max((one for one in outcomes if not one.reason), key=lambda one: one.score)


def took(outcomes: Sequence[Outcome]) -> float:
    """Processor seconds of these trials."""
    return sum(one.seconds for one in outcomes)


def searched(trials: int, epochs: int) -> tuple[list[Outcome], list[Outcome]]:
    """The outcomes of a search with the pruner, and of one without it."""
    logging.getLogger("tb_activations").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        # What a process pays once belongs to neither.
        for unused in (Search(1, Path(folder, "first")), Search(1, None)):
            unused.next_trial()
        pruned, plain = Search(epochs, Path(folder, "search")), Search(epochs, None)
        for _ in range(trials):
            one, other = pruned.next_trial(), plain.next_trial()
            print(
                f"{one.number:3d} {other.score:.3f} {other.seconds:5.1f} s; with the pruner {one.score:.3f} "
                f"{one.seconds:5.1f} s, {one.steps} steps {one.reason}",
                flush=True,
            )
    return pruned.outcomes, plain.outcomes


def main() -> int:
    trials, epochs = (int(given) for given in [*sys.argv[1:], *map(str, (TRIALS, EPOCHS)[len(sys.argv) - 1 :])])
    pruned, plain = searched(trials, epochs)
    saved = 1 - took(pruned) / took(plain)
    stopped, kept = [one for one in pruned if one.reason], [one for one in pruned if not one.reason]
    is_kept = best(pruned).number == best(plain).number and best(pruned).score == best(plain).score
    # The promise is about the best trial; how good the stopped ones would have become is printed too.
    would_be = max((plain[one.number].score for one in stopped), default=math.nan)
    missed = [one for one in kept if not one.score >= LEARNED]
    at = sorted(one.steps for one in stopped)
    print(f"\n{platform.machine()}, Python {platform.python_version()}; {trials} trials of {epochs} epochs")
    print(f"Without the pruner: {took(plain):.0f} s; best trial {best(plain).number}, {best(plain).score:.4f}")
    print(f"With the pruner:    {took(pruned):.0f} s; best trial {best(pruned).number}, {best(pruned).score:.4f}")
    print(f"Stopped: {len(stopped)} of {trials}; the best of these would have reached {would_be:.4f}")
    if stopped:
        print(f"  after {at[len(at) // 2]} steps (median; first {at[0]}, last {at[-1]})")
        print(f"  in {took(stopped):.0f} s instead of {took([plain[one.number] for one in stopped]):.0f} s")
    print(f"Others: {took(kept):.0f} s instead of {took([plain[one.number] for one in kept]):.0f} s")
    print(f"  {len(missed)} of them stayed below {LEARNED:g}, and took {took(missed):.0f} s")
    print(f"Saved: {saved:.0%} of the time (promised: {PROMISED:.0%}); best trial kept: {'yes' if is_kept else 'no'}")
    return 0 if saved >= PROMISED and is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
