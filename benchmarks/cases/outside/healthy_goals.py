"""Goals of healthy programs whose loss alone does not show that they learn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases.base import Goal


def accuracy(model: Callable[..., Any], x: Any, y: NDArray[Any], at_least: float) -> Goal:
    """The share of samples for whose class the model gives the highest score."""

    def measure() -> float:
        scores = np.asarray(model(x, training=False))
        return float((scores.argmax(-1) == y.reshape(scores.shape[:-1])).mean())

    return Goal("accuracy", measure, at_least=at_least)


def entropy_by_position(labels: NDArray[Any]) -> float:
    """Cross entropy of the best constant guess for each position of `[samples, positions]` class numbers."""
    return float(np.mean([class_entropy(column) for column in labels.T]))


def class_entropy(labels: NDArray[Any]) -> float:
    """Cross entropy of the best constant guess."""
    shares = np.bincount(labels.ravel().astype(int)) / labels.size
    return float(-sum(share * math.log(share) for share in shares if share > 0))


def binary_entropy(targets: NDArray[Any]) -> float:
    """Mean binary cross entropy of the best constant guess for each column of `[samples, columns]` targets."""
    shares = targets.reshape(len(targets), -1).mean(0)
    inside = shares[(shares > 0) & (shares < 1)]
    return float(-(inside * np.log(inside) + (1 - inside) * np.log(1 - inside)).sum() / shares.size)


def squared_error(model: Callable[..., Any], x: Any, y: NDArray[Any], at_most: float) -> Goal:
    """The mean squared error of the model, as a share of that of the best constant."""

    def measure() -> float:
        answers = np.asarray(model(x, training=False), "float64").reshape(y.shape)
        return float(np.square(answers - y).mean() / y.astype("float64").var(0).mean())

    return Goal("squared error as a share of a constant's", measure, at_most=at_most)
