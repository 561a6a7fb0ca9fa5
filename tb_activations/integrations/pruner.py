"""Stops the trials of a hyperparameter search that are sick."""

from __future__ import annotations

import os
from typing import Any

from tb_activations.callback import LayerHealth
from tb_activations.integrations.wording import required
from tb_activations.records.arguments import invalid
from tb_activations.records.finding import Finding, Severity


class LayerHealthPruner(LayerHealth):
    """`LayerHealth` for the trials of a search: stops a trial whose verdict is a problem.

    With Optuna, `model.fit(..., callbacks=[LayerHealthPruner("logs", trial=trial)])` raises `optuna.TrialPruned` at
    the end of the training, and the trial has the user attribute `layer_health`. With Keras Tuner,
    `tuner.search(..., callbacks=[LayerHealthPruner("logs")])` ends the training of the trial, which keeps the score
    that it has reached.

    Args:
        log_dir: folder of all trials; each is recorded below it or, without `trial`, next to it.
        trial: the trial of Optuna; None for Keras Tuner.
        patience: how many epochs in a row must end with a problem before the trial is stopped.
        **settings: of `LayerHealth`.

    Attributes:
        pruned: the finding that the trial was stopped for, None if it was not stopped.

    Raises:
        ImportError: `trial` is given and Optuna is not installed.
        ValueError: `patience` is below 1.
    """

    def __init__(
        self, log_dir: str | os.PathLike[str] = "logs", *, trial: Any = None, patience: int = 1, **settings: Any
    ) -> None:
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise invalid("patience", repr(patience), "a whole number >= 1")
        self._optuna = required("optuna", "optuna", "LayerHealthPruner(trial=...)") if trial is not None else None
        super().__init__(log_dir if trial is None else os.path.join(log_dir, f"trial-{trial.number}"), **settings)
        self._trial, self._patience, self._sick_epochs = trial, patience, 0
        self.pruned: Finding | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stops the training if the verdict has been a problem for long enough."""
        super().on_epoch_end(epoch, logs)
        problems = (one for one in self.findings if one.closed_step is None and one.severity is Severity.PROBLEM)
        problem = next(problems, None)
        self._sick_epochs = self._sick_epochs + 1 if problem else 0
        if self._sick_epochs >= self._patience:
            self.pruned, self.model.stop_training = problem, True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes the recording, then reports the trial as pruned."""
        super().on_train_end(logs)
        if self.pruned is not None and self._optuna is not None:
            self._trial.set_user_attr("layer_health", self.pruned.message)
            raise self._optuna.TrialPruned(self.pruned.message)
