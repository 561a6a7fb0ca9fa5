"""Drawing random numbers without taking them from anybody else."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from tensorflow.python.eager import context as eager_context

_ELSEWHERE = 7_046_029_254
# Where Keras keeps the generator of everything that was given no seed; a constant holds the name since 3.13 only.
_SEED_GENERATOR = "global_seed_generator"


@contextlib.contextmanager
def preserved_random() -> Iterator[None]:
    """Leaves the random numbers of Python, NumPy, Keras and TensorFlow after the block as they were before it.

    But for one thing: a TensorFlow operation that is given a seed as a number counts its runs where nobody can reach.
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    of_tensorflow = _global_generator()
    state = None if of_tensorflow is None else tf.identity(of_tensorflow.state)
    # Where eager operations without a seed take theirs from; there is no public way to it.
    of_operations = getattr(eager_context.context(), "_rng", None)
    operations = of_operations.getstate() if of_operations is not None else None
    if of_operations is not None:
        # Elsewhere in the sequence: TensorFlow goes on with an operation whose seed comes again.
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
            # One that came into being here would have been seeded by numbers that are given back.
            global_state.set_global_attribute(_SEED_GENERATOR, None)
        else:
            of_keras.state.assign(seed)


def _global_generator() -> tf.random.Generator | None:
    """None where TensorFlow's determinism forbids to make one and nobody has: then nothing can be drawn from it."""
    try:
        return tf.random.get_global_generator()
    except RuntimeError:
        return None
