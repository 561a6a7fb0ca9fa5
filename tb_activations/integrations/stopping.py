"""A `LayerHealth` that ends a training which has a problem."""

from __future__ import annotations

import os
from typing import Any

from tb_activations.callback import LayerHealth
from tb_activations.records.arguments import invalid
from tb_activations.records.finding import Finding, Severity

CONFIRMED = 5
"""Observed steps in a row with a problem that end a training within an epoch. "sparse" observes the first twenty steps,
so a training that is sick from the start ends before its plain step is compiled."""
_LIGHT = {"update_freq": "sparse", "histogram_freq": 0, "image_freq": 0, "stock_summaries": False}


class Stopping(LayerHealth):
    """Ends a training once a problem is confirmed.

    Args:
        log_dir, settings: of `LayerHealth`; by default, only what a verdict needs is recorded.
        patience: 0 for `CONFIRMED` observed steps in a row, or the end of an epoch, with a problem; N >= 1 for the
            ends of N epochs in a row.

    Attributes:
        pruned: the finding that the training was ended for, None if it was not ended.

    Raises:
        ValueError: `patience` is not a whole number >= 0.
    """

    def __init__(self, log_dir: str | os.PathLike[str], patience: int, **settings: Any) -> None:
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 0:
            raise invalid("patience", repr(patience), "a whole number >= 0")
        super().__init__(log_dir, **{**_LIGHT, **settings})
        self._patience, self._sick_epochs = patience, 0
        self.pruned: Finding | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins to observe; what an earlier training was ended for does not count."""
        self.pruned, self._sick_epochs = None, 0
        super().on_train_begin(logs)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Ends the training if the last observed steps have shown a problem."""
        if self._patience == 0 and self._pipeline is not None and self._pipeline.sick_steps >= CONFIRMED:
            self._end_for(self._problem())

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Ends the training if enough epochs in a row have ended with a problem."""
        super().on_epoch_end(epoch, logs)
        problem = self._problem()
        self._sick_epochs = self._sick_epochs + 1 if problem else 0
        if self._sick_epochs >= max(self._patience, 1):
            self._end_for(problem)

    def _problem(self) -> Finding | None:
        problems = (one for one in self.findings if one.closed_step is None and one.severity is Severity.PROBLEM)
        return next(problems, None)

    def _end_for(self, problem: Finding | None) -> None:
        if problem is not None:
            self.pruned, self.model.stop_training = self.pruned or problem, True
