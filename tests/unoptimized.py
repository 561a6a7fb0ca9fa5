"""Runs graphs as they were traced, without TensorFlow's graph optimizer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def unoptimized() -> Iterator[None]:
    """Switches the graph optimizer off: it takes a third of the time of a short training.

    Not for tests of whether observing changes a training, or what is measured where operations are merged: there the
    optimizer is what could make a difference.
    """
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
