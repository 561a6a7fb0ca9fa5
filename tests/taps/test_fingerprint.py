"""The sample of weights in a fingerprint, and variables that cannot be read."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.taps.fingerprint import FINGERPRINT_SIZE, fingerprint


def model() -> keras.Sequential:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [layers.Input((64,)), layers.Dense(100, "relu"), layers.BatchNormalization(), layers.Dense(3)]
    )


def test_no_variables_have_an_empty_fingerprint() -> None:
    assert fingerprint([]).shape == (0,)
    assert fingerprint([]).dtype == np.float32


def test_it_is_small_and_the_same_for_the_same_weights() -> None:
    one = fingerprint(model().weights)
    assert FINGERPRINT_SIZE * 0.9 < len(one) < FINGERPRINT_SIZE * 1.1
    np.testing.assert_array_equal(one, fingerprint(model().weights))
    frozen = model()
    frozen.trainable = False
    np.testing.assert_array_equal(one, fingerprint(frozen.weights))


def test_every_row_and_column_is_sampled() -> None:
    rows = np.repeat(np.arange(64)[:, None], 64, axis=1).astype(np.float32)
    assert len(np.unique(fingerprint([keras.Variable(rows)]))) == 64
    assert len(np.unique(fingerprint([keras.Variable(rows.T)]))) == 64


def test_a_small_weight_is_sampled_as_well_as_a_large_one() -> None:
    large, small = keras.Variable(np.zeros((2000, 2000), np.float32)), keras.Variable(np.full(3, 7, np.float32))
    assert (fingerprint([large, small]) == 7).sum() == 1
    np.testing.assert_array_equal(fingerprint([small]), [7, 7, 7])


def test_many_weights_do_not_make_it_large() -> None:
    scalars = [tf.Variable(float(number)) for number in range(1500)]
    taken = fingerprint(scalars)
    assert (len(taken), taken[0], taken[-1]) == (FINGERPRINT_SIZE, 0, 1499)


@pytest.mark.parametrize("kind", [np.float16, np.float64, np.int8, np.bool_, np.complex64])
def test_every_numeric_type_is_sampled(kind: Any) -> None:
    taken = fingerprint([tf.Variable(np.ones((2, 2), kind))])
    np.testing.assert_array_equal(taken, np.ones(4, np.float32))


class Broken:
    dtype, shape = "float32", (3,)


def test_unreadable_variables_are_left_out() -> None:
    odd = [tf.Variable(["text"]), Broken(), object(), None, tf.Variable(np.zeros((0, 3), np.float32))]
    np.testing.assert_array_equal(fingerprint([*odd, tf.Variable([5.0]), *odd]), [5])


def test_variables_of_a_mirrored_strategy() -> None:
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    with strategy.scope():
        mirrored = model()
    np.testing.assert_array_equal(fingerprint(mirrored.weights), fingerprint(model().weights))
