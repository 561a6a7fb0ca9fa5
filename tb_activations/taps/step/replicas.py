"""What the replicas of a step exchange."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from tb_activations.taps import taps


def count() -> int:
    """Number of replicas that run the present step together."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context is not None else 1


def from_all_replicas(vector: tf.Tensor) -> tf.Tensor:
    """`[replicas, length]` from the vectors of all replicas."""
    if count() == 1:
        return vector[None]
    gathered = tf.distribute.get_replica_context().all_gather(vector[None], axis=0)
    return tf.ensure_shape(gathered, [count(), *vector.shape])


def from_first_replica(vector: tf.Tensor) -> tf.Tensor:
    """`[1, length]`: the vector of the first replica."""
    if count() == 1:
        return vector[None]
    context = tf.distribute.get_replica_context()
    mine = tf.where(tf.equal(context.replica_id_in_sync_group, 0), vector, tf.zeros_like(vector))
    return context.all_reduce(tf.distribute.ReduceOp.SUM, mine)[None]


class Reduced:
    """The gradients at weights, summed over replicas."""

    def __init__(self) -> None:
        self._by_keras: list[Any] = []

    @contextlib.contextmanager
    def applying(self, optimizer: Any) -> Iterator[None]:
        """Keeps what the optimizer sums in the block, as far as it sums the gradients that it is given."""
        if count() == 1 or not _sums_what_it_is_given(optimizer):
            yield
            return
        tap = taps.after(optimizer, "_all_reduce_sum_gradients", self._keep)
        with taps.installed([tap]):
            yield

    def _keep(self, pairs: Any) -> Any:
        pairs = list(pairs)
        self._by_keras = [gradient for gradient, _ in pairs if gradient is not None]
        return pairs

    def of(self, gradients: Sequence[tf.Tensor | None]) -> list[tf.Tensor | None]:
        """The sums of these; those of the optimizer, if it made them."""
        present = [gradient for gradient in gradients if gradient is not None]
        if count() == 1 or not present:
            return list(gradients)
        kept = [tf.convert_to_tensor(gradient) for gradient in self._by_keras]
        if [one.shape for one in kept] != [one.shape for one in present]:
            kept = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, present)
        summed = iter(kept)
        return [None if gradient is None else next(summed) for gradient in gradients]


_CHANGES = ("clipnorm", "global_clipnorm", "clipvalue", "loss_scale_factor", "gradient_accumulation_steps")
"""What makes an optimizer of Keras sum something else than the gradients that it is given."""


def _sums_what_it_is_given(optimizer: Any) -> bool:
    is_known = callable(getattr(optimizer, "_all_reduce_sum_gradients", None))
    return is_known and all(getattr(optimizer, name, None) is None for name in _CHANGES)
