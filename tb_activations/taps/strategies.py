"""What the distribution strategy of a training says about where it runs."""

from __future__ import annotations

import tensorflow as tf


def is_distributed(strategy: tf.distribute.Strategy) -> bool:
    """Whether this is a strategy that the user chose, rather than the default one."""
    with strategy.scope():
        return bool(tf.distribute.has_strategy())


def is_multi_worker(strategy: tf.distribute.Strategy) -> bool:
    """Whether several processes train together."""
    return _worker_count(strategy) > 1


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one of several that writes; true for a single one."""
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
