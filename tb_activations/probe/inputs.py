"""What a model is fed: arrays, structures of arrays, `tf.data`, generators; checked and cut into batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_ALLOWED = "an array or tensor with samples on its first axis, or a tuple, list or dict of them"


def batches(x: Any, batch_size: int, is_shown: bool = False) -> Iterator[Any]:
    """Batches of `x` as (structures of) tensors, in order; the last one may be smaller.

    A dataset, `keras.utils.PyDataset` or generator is taken as it is batched; of its elements `(x, y)` and
    `(x, y, sample_weight)` only x is used. `is_shown` draws a progress bar on standard output.

    Raises:
        ValueError, TypeError: see `check_samples`; also for a `batch_size` below 1 and for no batch at all.
    """
    check_count("batch_size", batch_size)
    count, made = _made_batches(x, batch_size)
    bar = keras.utils.Progbar(count, unit_name="batch") if is_shown else None
    seen = 0
    for batch in made:
        yield batch
        seen += 1
        if bar is not None:
            bar.update(seen, finalize=seen == count)
    if not seen:
        raise ValueError("Invalid value for argument `x`: it holds no batch.")
    if bar is not None and count is None:
        bar.update(seen, finalize=True)


def _made_batches(x: Any, batch_size: int) -> tuple[int | None, Iterator[Any]]:
    """How many batches there are, None if nobody knows before the last, and the batches."""
    if isinstance(x, tf.data.Dataset):
        count = int(x.cardinality())
        return count if count >= 0 else None, map(_batch, x)
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches, map(_batch, (x[place] for place in range(x.num_batches)))
    if isinstance(x, Iterator):
        return None, map(_batch, x)
    arrays = keras.tree.map_structure(_as_array, x)
    starts = range(0, check_samples(arrays), batch_size)
    return len(starts), (tensors(rows(arrays, start, start + batch_size)) for start in starts)


def _batch(element: Any) -> Any:
    batch = keras.utils.unpack_x_y_sample_weight(element)[0]
    batch = keras.tree.map_structure(lambda part: part if tf.is_tensor(part) else tensors(np.asarray(part)), batch)
    check_samples(batch)
    return batch


def one_batch(x: Any) -> Any:
    """All of `x`, no dataset, as one (structure of) tensors. Raises as `check_samples`, TypeError for a dataset."""
    if isinstance(x, tf.data.Dataset):
        raise TypeError(f"Invalid value for argument `x`: a dataset. Allowed is one batch: {_ALLOWED}.")
    arrays = keras.tree.map_structure(_as_array, x)
    check_samples(arrays)
    return tensors(arrays)


def check_samples(x: Any) -> int:
    """How many samples `x` holds.

    Raises:
        ValueError: there are none, some part has no axis of samples, or parts differ in their number.
    """
    shapes = [tuple(part.shape) for part in keras.tree.flatten(x)]
    counts = {shape[0] if shape else None for shape in shapes}
    if len(counts) != 1 or None in counts:
        raise ValueError(f"Invalid value for argument `x`: its parts have the shapes {shapes}. Allowed is {_ALLOWED}.")
    count = int(counts.pop() or 0)
    if count == 0:
        raise ValueError("Invalid value for argument `x`: it holds no sample. Allowed is at least one.")
    return count


def rows(x: Any, start: int, stop: int) -> Any:
    """Samples `start` to before `stop` of every part of `x`."""
    return keras.tree.map_structure(lambda part: part[start:stop], x)


def _as_array(part: Any) -> Any:
    return part if tf.is_tensor(part) else np.asarray(part)


def tensors(x: Any) -> Any:
    """`x` as tensors; float64 arrays in Keras' default float type, as `fit` feeds them."""

    def convert(part: Any) -> tf.Tensor:
        if isinstance(part, np.ndarray) and part.dtype == np.float64:
            part = part.astype(keras.config.floatx())
        return tf.convert_to_tensor(part)

    return keras.tree.map_structure(convert, x)


def single_float_input(x: Any) -> tf.Tensor:
    """`x` as one floating-point tensor `[samples, ...]`; whole numbers are converted.

    Raises:
        TypeError: `x` is a structure of arrays or a dataset, whose parts would each need a map of their own.
        ValueError: as `check_samples`.
    """
    if isinstance(x, tf.data.Dataset | dict) or keras.tree.is_nested(x):
        raise TypeError(
            f"Invalid value for argument `x`: {type(x).__name__}. Allowed is one array with samples on its first axis; "
            '`gradients(..., wrt="inputs")` takes structures of arrays.'
        )
    tensor = one_batch(x)
    return tensor if tensor.dtype.is_floating else tf.cast(tensor, keras.config.floatx())


def check_count(argument: str, value: Any) -> None:
    """Raises ValueError, naming the argument, unless `value` is a whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"Invalid value for argument `{argument}`: {value!r}. Allowed is a whole number from 1.")


def check_number(argument: str, value: Any, low: float) -> None:
    """Raises ValueError, naming the argument, unless `value` is a finite number from `low`."""
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not is_number or not np.isfinite(value) or value < low:
        raise ValueError(
            f"Invalid value for argument `{argument}`: {value!r}. Allowed is a finite number from {low:g}."
        )
