"""Stops the trials of a hyperparameter search that are sick."""

from __future__ import annotations

import os
from typing import Any

from tb_activations.integrations.stopping import Stopping
from tb_activations.integrations.wording import required


class LayerHealthPruner(Stopping):
    """`LayerHealth` for the trials of a search: stops a trial that has a problem.

    With Optuna, `model.fit(..., callbacks=[LayerHealthPruner("logs", trial=trial)])` raises `optuna.TrialPruned`, and
    the trial has the user attribute `layer_health`. With Keras Tuner,
    `tuner.search(..., callbacks=[LayerHealthPruner("logs")])` ends the epoch and the training of the trial, which keeps
    the score that it has reached.

    Args:
        log_dir: folder of all trials; each is recorded below it or, without `trial`, next to it.
        trial: the trial of Optuna; None for Keras Tuner.
        patience: 0 (default) stops a trial once five observed steps in a row, or the last one of an epoch, show a
            problem; N >= 1 stops it once N epochs in a row have ended with a problem.
        **settings: of `LayerHealth`. By default, `update_freq` is "sparse", and there are no histograms, pictures and
            stock summaries.

    Attributes:
        pruned: the finding that the trial was stopped for, None if it was not stopped.

    Raises:
        ImportError: `trial` is given and Optuna is not installed.
        ValueError: `patience` is not a whole number >= 0.
    """

    def __init__(
        self, log_dir: str | os.PathLike[str] = "logs", *, trial: Any = None, patience: int = 0, **settings: Any
    ) -> None:
        self._optuna = required("optuna", "optuna", "LayerHealthPruner(trial=...)") if trial is not None else None
        super().__init__(
            log_dir if trial is None else os.path.join(log_dir, f"trial-{trial.number}"), patience, **settings
        )
        self._trial = trial

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Stops the trial; Optuna needs neither the rest of the epoch nor its validation."""
        super().on_train_batch_end(batch, logs)
        if self.pruned is not None and self._optuna is not None:
            self.on_train_end(logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes the recording, then reports the trial as pruned."""
        super().on_train_end(logs)
        if self.pruned is not None and self._optuna is not None:
            self._trial.set_user_attr("layer_health", self.pruned.message)
            raise self._optuna.TrialPruned(self.pruned.message)
