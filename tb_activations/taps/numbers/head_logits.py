"""How large the logits of a softmax head are."""

from __future__ import annotations

import tensorflow as tf

from tb_activations.taps.numbers.samples import sampled_rows
from tb_activations.taps.numbers.traced_once import ANY, once


def head_logits(logits: tf.Tensor) -> tf.Tensor:
    """`[3]` float32: mean and maximum of log Z, the logarithm of the softmax' denominator, and the logits' RMS.

    Args:
        logits: floating-point, classes last. Of many, evenly strided rows are used: about 16,384 logits, at least 64
            rows. Without any the result is NaN.
    """
    return _head_logits(tf.cast(tf.stop_gradient(logits), tf.float32))


@once([ANY])
def _head_logits(value: tf.Tensor) -> tf.Tensor:
    rows = sampled_rows(tf.reshape(value, tf.stack([-1, tf.shape(value)[-1]])))
    log_z = tf.reduce_logsumexp(rows, 1)
    # The maximum of no rows is -infinity, their mean NaN.
    mean = tf.reduce_mean(log_z)
    largest = tf.where(tf.math.is_nan(mean), mean, tf.reduce_max(log_z))
    return tf.stack([mean, largest, tf.sqrt(tf.reduce_mean(tf.square(rows)))])
