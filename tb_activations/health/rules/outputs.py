"""The layers whose outputs leave a network: heads, and what a generator, an actor or an encoder gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History


def is_output(history: History) -> NDArray[np.bool_]:
    """`[layers]`: whether the model returns the output, or no layer with weights of the same network follows.

    A network inside the model is what shares a prefix of its name that no layer has.
    """
    names = [layer.name for layer in history.spec.layers]
    networks = [name.rpartition("/")[0] for name in names]
    inside = np.array([network not in history.row_of for network in networks], bool)
    weighted = np.array([layer.parameters > 0 and layer.is_whole for layer in history.spec.layers], bool)
    numbers = np.unique(networks, return_inverse=True)[1]
    follows = history.graph.reaches & (numbers[:, None] == numbers[None]) & (weighted & inside)
    is_returned = np.array([layer.is_output for layer in history.spec.layers], bool)
    result: NDArray[np.bool_] = is_returned | history.graph.is_head | (inside & ~follows.any(axis=1))
    return result


def unweighted(history: History) -> NDArray[np.bool_]:
    """`[layers]`: whether the loss has had no gradient at any output that a layer leads to, but had one at another.

    Nothing in such a network blocks the gradient: the loss does not count its outputs, as with a weight of 0.
    """
    return history.once_a_step("unweighted", _unweighted)


def _unweighted(history: History) -> NDArray[np.bool_]:
    norms, heads = history.stat("gradient_norm"), history.graph.is_head
    is_known = ~np.isnan(norms)
    is_silent = heads & is_known.any(axis=0) & ~(is_known & (norms > 0)).any(axis=0)
    is_heard = heads & (is_known & (norms > 0)).any(axis=0)
    leads = history.graph.reaches | np.eye(len(heads), dtype=bool)
    if not is_heard.any():
        return np.zeros(len(heads), bool)
    to_silent, to_others = (np.asarray(leads[:, chosen].any(axis=1)) for chosen in (is_silent, heads & ~is_silent))
    result: NDArray[np.bool_] = to_silent & ~to_others
    return result
