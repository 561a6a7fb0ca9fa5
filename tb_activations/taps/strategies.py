"""Questions about a training's distribution strategy."""

from __future__ import annotations

import tensorflow as tf


def is_distributed(strategy: tf.distribute.Strategy) -> bool:
    """Whether the user chose this strategy; false for TensorFlow's default."""
    with strategy.scope():
        return bool(tf.distribute.has_strategy())


def is_multi_worker(strategy: tf.distribute.Strategy) -> bool:
    """Whether several processes train together."""
    return _worker_count(strategy) > 1


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this is the one process that writes; always true in a training of a single process."""
    if not is_multi_worker(strategy):
        return True
    resolver = strategy.cluster_resolver
    if "chief" in resolver.cluster_spec().jobs:
        return bool(resolver.task_type == "chief")
    return bool(resolver.task_type == "worker" and resolver.task_id == 0)


def _worker_count(strategy: tf.distribute.Strategy) -> int:
    resolver = getattr(strategy, "cluster_resolver", None)
    if resolver is None or not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    jobs = resolver.cluster_spec().as_dict()
    return len(jobs.get("chief", [])) + len(jobs.get("worker", []))
