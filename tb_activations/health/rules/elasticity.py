"""Elasticity: the percentage by which the loss moves when the weights of a layer move by 1%."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import WINDOW, History

SPREAD_OUT = 0.1
"""If the gradient reaches a smaller share of a layer's weights, it leaves rows untouched, as in an embedding. The norm
of these rows must not count."""

_FEWEST = 4
"""Finite losses needed to compute a spread."""

_BOUNDED = frozenset({"softmax", "sigmoid", "hard_sigmoid", "log_softmax"})
"""Activations whose outputs are probabilities: the gradient with respect to a small one is large in any network."""


def elasticities(history: History) -> NDArray[np.float64]:
    """`[checks kept, layers]`: gradient norm x weight norm / loss.

    NaN if one of them was not measured or is not finite, or if the loss is zero. If the kept losses change sign or
    reach zero, the range of their middle half replaces smaller losses: any gradient is huge compared with a loss that
    passes through zero.
    """
    losses = history.losses
    return _quotients(history.stat("weight_gradient_norm"), history.stat("weight_norm"), losses, _swing(losses))


def elasticity_over_time(
    gradient: NDArray[np.floating], weights: NDArray[np.floating], losses: NDArray[np.floating]
) -> NDArray[np.float64]:
    """`[steps, layers]`: the elasticity of every layer at each step of a stored run; see `elasticities`.

    Args:
        gradient, weights: `[steps, layers]` norms.
        losses: `[steps]`.
    """
    totals: NDArray[np.float64] = losses.astype(np.float64)
    swings = np.zeros(len(totals))
    if np.any(totals <= 0):
        swings[:] = [_swing(totals[max(0, past - WINDOW) : past]) for past in range(1, len(totals) + 1)]
    return _quotients(gradient, weights, totals, swings)


def _quotients(
    gradient: NDArray[np.floating],
    weights: NDArray[np.floating],
    losses: NDArray[np.float64],
    swing: NDArray[np.float64] | float,
) -> NDArray[np.float64]:
    gradient, weights = gradient.astype(np.float64), weights.astype(np.float64)
    loss = np.where(losses == 0, 0.0, np.maximum(np.abs(losses), swing))[:, None]
    usable = np.isfinite(gradient) & np.isfinite(weights) & np.isfinite(loss) & (loss > 0)
    table = np.full(gradient.shape, np.nan)
    np.divide(gradient * weights, loss, out=table, where=usable)
    return table


def reached_shares(history: History) -> NDArray[np.float64]:
    """`[checks kept, layers]`: estimated share, in [0, 1], of a layer's weights that the gradient reaches.

    Computed from mean and norm of the gradient, assuming that its nonzero elements are normally distributed; 1 if
    unknown. Embeddings and kernels that take sparse features have small shares.
    """
    norm = history.stat("weight_gradient_norm").astype(np.float64)
    total = history.stat("weight_gradient_mean_abs").astype(np.float64) * history.weight_elements
    usable = np.isfinite(norm) & np.isfinite(total) & (norm > 0) & (history.weight_elements > 0)
    shares = np.ones(norm.shape)
    np.divide(np.pi / 2 * (total / np.where(usable, norm, 1.0)) ** 2, history.weight_elements, out=shares, where=usable)
    return np.minimum(shares, 1.0)


def comparable(table: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Elasticities without the part that comes from weights which the gradient does not reach.

    Unchanged for dense layers. For others, an estimate for a layer that has only the reached rows.
    """
    return table * np.sqrt(np.minimum(shares / SPREAD_OUT, 1.0))


def output_elasticity(history: History) -> NDArray[np.float64]:
    """`[checks kept]`: the largest elasticity of the network's outputs (gradient norm x output norm / loss).

    It is large if the loss is small relative to the outputs, as in a network that has solved its task; 0 if unknown.
    """
    heads = history.once("unbounded heads", _unbounded_heads)
    elements, mean, std, gradient = (
        history.stat(name)[:, heads].astype(np.float64) for name in ("elements", "mean", "std", "gradient_norm")
    )
    # Infinite outputs times a gradient of zero.
    with np.errstate(invalid="ignore"):
        product = gradient * np.sqrt(elements) * np.hypot(mean, std)
    product = np.where(np.isfinite(product), product, 0.0).max(axis=1, initial=0.0)
    losses = history.losses
    loss = np.maximum(np.abs(losses), _swing(losses))
    result = np.zeros(len(losses))
    np.divide(product, loss, out=result, where=np.isfinite(loss) & (loss > 0))
    return result


def _unbounded_heads(history: History) -> NDArray[np.int64]:
    is_unbounded = np.array([layer.activation not in _BOUNDED for layer in history.spec.layers], bool)
    return np.flatnonzero(history.graph.is_head & is_unbounded)


def rows_of_loss(history: History) -> NDArray[np.float64]:
    """`[checks kept]`: number of samples or positions that the loss was computed over, infinite if unknown."""
    heads = np.flatnonzero(history.graph.is_head)
    positions = history.stat("elements")[:, heads] / np.maximum(history.units_of[heads], 1)
    rows = np.fmax(np.fmax.reduce(positions, axis=1, initial=np.nan), history.total("samples"))
    return np.where(rows > 0, rows, np.inf)


def passes_zero(history: History) -> bool:
    """Whether the kept losses change sign or reach zero, so that their range replaces small losses."""
    return _swing(history.losses) > 0


def _swing(losses: NDArray[np.float64]) -> float:
    """The range of the middle half of the losses if they change sign or reach zero, otherwise 0."""
    finite = losses[np.isfinite(losses)]
    if len(finite) < _FEWEST or finite.min() > 0 or finite.max() < 0:
        return 0.0
    low, high = np.percentile(finite, (25, 75))
    return float(high - low)
