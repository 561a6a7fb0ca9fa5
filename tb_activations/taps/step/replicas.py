"""Brings the vectors of a step's replicas together."""

from __future__ import annotations

import tensorflow as tf


def from_all_replicas(vector: tf.Tensor) -> tf.Tensor:
    """`[replicas, length]` from the vectors of all replicas."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return vector[None]
    return context.all_gather(vector[None], axis=0)


def from_first_replica(vector: tf.Tensor) -> tf.Tensor:
    """`[1, length]`: the vector of the first replica."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return vector[None]
    mine = tf.where(tf.equal(context.replica_id_in_sync_group, 0), vector, tf.zeros_like(vector))
    return context.all_reduce(tf.distribute.ReduceOp.SUM, mine)[None]
