"""Optimizers that add up the gradients of several steps before they change a weight."""

from __future__ import annotations

import numpy as np

from tb_activations.health.history import History

PATIENCE = 2
"""Epochs without an update after which a training waits too long."""


def steps_of_update(history: History) -> int:
    """The steps whose gradients make one update; 1 if the optimizer changes weights in every step, or is unknown."""
    steps = history.spec.optimizer.get("gradient_accumulation_steps")
    return steps if isinstance(steps, int) and steps > 1 else 1


def is_waiting(history: History) -> bool:
    """Whether no update has been due yet."""
    return history.step + 1 < steps_of_update(history)


def has_waited_long(history: History) -> bool:
    """Whether so many epochs have passed that the weights should have changed; false if epochs are not counted."""
    epochs = history.total("epoch")
    return bool(np.isfinite(epochs[-1]) and epochs[-1] >= PATIENCE)
