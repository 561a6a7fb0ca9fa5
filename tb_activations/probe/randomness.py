"""Drawing random numbers without changing those of the training."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from tensorflow.python.eager import context as eager_context

_ELSEWHERE = 7_046_029_254
# Name of the generator that Keras uses where no seed is given; only Keras 3.13 and later have a constant for it.
_SEED_GENERATOR = "global_seed_generator"


@contextlib.contextmanager
def preserved_random() -> Iterator[None]:
    """Restores the random state of Python, NumPy, Keras and TensorFlow after the block.

    One state cannot be restored: a TensorFlow operation with a seed of its own counts its runs internally.
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    of_tensorflow = _global_generator()
    state = None if of_tensorflow is None else tf.identity(of_tensorflow.state)
    # The source of seeds for eager operations without one; it has no public access.
    of_operations = getattr(eager_context.context(), "_rng", None)
    operations = of_operations.getstate() if of_operations is not None else None
    if of_operations is not None:
        # Another place in the sequence: TensorFlow caches an operation by its seed and would resume its counter.
        of_operations.seed(_ELSEWHERE)
    of_keras = global_state.get_global_attribute(_SEED_GENERATOR)
    seed = None if of_keras is None else tf.identity(of_keras.state)
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002
        if of_tensorflow is not None:
            of_tensorflow.state.assign(state)
        if of_operations is not None:
            of_operations.setstate(operations)
        if of_keras is None:
            # A generator created inside the block took its seed from numbers that are restored here.
            global_state.set_global_attribute(_SEED_GENERATOR, None)
        else:
            of_keras.state.assign(seed)


def _global_generator() -> tf.random.Generator | None:
    """None if there is none and op determinism forbids creating one: then nothing can be drawn from it."""
    try:
        return tf.random.get_global_generator()
    except RuntimeError:
        return None
