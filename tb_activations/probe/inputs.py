"""Inputs of a model: arrays, structures of arrays, `tf.data`, generators; checked and split into batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tb_activations.records.arguments import invalid

_ALLOWED = "an array or tensor with samples on its first axis, or a tuple, list or dict of them"


def batches(x: Any, batch_size: int, is_shown: bool = False) -> Iterator[Any]:
    """Batches of `x` as (structures of) tensors, in order; the last one may be smaller.

    A dataset, `keras.utils.PyDataset` or generator keeps its own batches; of its elements `(x, y)` and
    `(x, y, sample_weight)` only x is used. `is_shown` draws a progress bar on standard output.

    Raises:
        ValueError, TypeError: as `check_samples`; `batch_size` is below 1; there is no batch.
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
        raise invalid("x", "it has no batch", "at least one")
    if bar is not None and count is None:
        bar.update(seen, finalize=True)


def _made_batches(x: Any, batch_size: int) -> tuple[int | None, Iterator[Any]]:
    """The number of batches, None if it is unknown before the last one, and the batches."""
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


def labeled_batches(x: Any, y: Any, batch_size: int | None) -> Iterator[tuple[Any, Any]]:
    """Batches `(x, y)` as (structures of) tensors; y is None where there are no targets.

    Args:
        x: as for `batches`. A dataset, `keras.utils.PyDataset` or generator brings its own targets.
        y: (a structure of) arrays, as many samples as `x`; None for none.
        batch_size: None for all samples of an array in one batch.

    Raises:
        ValueError, TypeError: as `batches`; also if `y` is given with a dataset, or has another number of samples.
    """
    if batch_size is not None:
        check_count("batch_size", batch_size)
    if is_batched(x):
        if y is not None:
            raise invalid(
                "y", f"{type(y).__name__} together with a {type(x).__name__}, which brings its own targets", "None"
            )
        yield from _labeled_elements(x)
        return
    inputs, targets = keras.tree.map_structure(_as_array, x), _optional_arrays(y)
    count = check_samples(inputs)
    if targets is not None and check_samples(targets, "y") != count:
        raise invalid("y", f"{check_samples(targets, 'y')} samples for {count} samples of `x`", "the same number")
    size = count if batch_size is None else batch_size
    for start in range(0, count, size):
        own = None if targets is None else tensors(rows(targets, start, start + size))
        yield tensors(rows(inputs, start, start + size)), own


def is_batched(x: Any) -> bool:
    """Whether `x` keeps its own batches."""
    return isinstance(x, tf.data.Dataset | keras.utils.PyDataset | Iterator)


def _labeled_elements(x: Any) -> Iterator[tuple[Any, Any]]:
    elements = (x[place] for place in range(x.num_batches)) if isinstance(x, keras.utils.PyDataset) else x
    is_empty = True
    for element in elements:
        is_empty = False
        y = _optional_arrays(keras.utils.unpack_x_y_sample_weight(element)[1])
        yield _batch(element), None if y is None else tensors(y)
    if is_empty:
        raise invalid("x", "it has no batch", "at least one")


def _optional_arrays(y: Any) -> Any:
    return None if y is None else keras.tree.map_structure(_as_array, y)


def one_batch(x: Any) -> Any:
    """All of `x` as one (structure of) tensors. Raises as `check_samples`."""
    arrays = keras.tree.map_structure(_as_array, x)
    check_samples(arrays)
    return tensors(arrays)


def check_samples(x: Any, argument: str = "x") -> int:
    """The number of samples in `x`.

    Raises:
        ValueError: there are none, a part has no sample axis, or the parts differ in their number; the message names
            `argument`.
    """
    shapes = [tuple(part.shape) for part in keras.tree.flatten(x)]
    counts = {shape[0] if shape else None for shape in shapes}
    if len(counts) != 1 or None in counts:
        raise invalid(argument, f"its parts have the shapes {shapes}", _ALLOWED)
    count = int(counts.pop() or 0)
    if count == 0:
        raise invalid(argument, "it has no sample", "at least one")
    return count


def rows(x: Any, start: int, stop: int) -> Any:
    """Samples `start` to `stop` (exclusive) of every part of `x`."""
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
    """`x` as one floating-point tensor `[samples, ...]`; integers are converted.

    Raises:
        TypeError: `x` is a structure of arrays or a dataset.
        ValueError: as `check_samples`.
    """
    if is_batched(x) or keras.tree.is_nested(x):
        raise invalid(
            "x",
            f"{type(x).__name__}",
            'one array with samples on its first axis; `gradients(..., wrt="inputs")` takes structures of arrays',
            kind=TypeError,
        )
    tensor = one_batch(x)
    return tensor if tensor.dtype.is_floating else tf.cast(tensor, keras.config.floatx())


def check_count(argument: str, value: Any) -> None:
    """Raises ValueError, naming the argument, unless `value` is an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise invalid(argument, repr(value), "an integer of at least 1")


def check_number(argument: str, value: Any, low: float) -> None:
    """Raises ValueError, naming the argument, unless `value` is a finite number of at least `low`."""
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not is_number or not np.isfinite(value) or value < low:
        raise invalid(argument, repr(value), f"a finite number of at least {low:g}")
