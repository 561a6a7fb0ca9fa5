"""Data of the cases: scikit-learn's bundled sets and generated sequences."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

Array = NDArray[Any]


@functools.cache
def digits(count: int = 1024) -> tuple[Array, Array]:
    """`[count, 8, 8]` float32 in [0, 1] and labels 0 to 9."""
    loaded = datasets.load_digits()
    order = np.random.default_rng(0).permutation(len(loaded.target))[:count]
    return (loaded.images[order] / 16).astype("float32"), loaded.target[order].astype("int32")


def flat_digits(count: int = 1024) -> tuple[Array, Array]:
    """`[count, 64]` float32, standardized, and labels."""
    images, labels = digits(count)
    return _standard(images.reshape(len(images), -1)), labels


@functools.cache
def _table(name: str) -> tuple[Array, Array]:
    loaded = getattr(datasets, f"load_{name}")()
    order = np.random.default_rng(0).permutation(len(loaded.target))
    return loaded.data[order].astype("float32"), loaded.target[order]


def raw_table(name: str) -> tuple[Array, Array]:
    """ "wine", "iris" or "breast_cancer" unprocessed: `[rows, columns]` float32 and int32 labels."""
    x, y = _table(name)
    return x, y.astype("int32")


def table(name: str) -> tuple[Array, Array]:
    """The same, standardized."""
    x, y = raw_table(name)
    return _standard(x), y


def diabetes(standard_target: bool = True) -> tuple[Array, Array]:
    """`[442, 10]` standardized features; the target has mean 152 and deviation 77 unless standardized."""
    x, y = _table("diabetes")
    y = y.astype("float32")[:, None]
    return _standard(x), _standard(y) if standard_target else y


@functools.cache
def photo_patches(count: int = 1024, size: int = 8) -> Array:
    """`[count, size, size, 3]` float32 in [0, 1], random patches of the two bundled photographs."""
    random = np.random.default_rng(0)
    photos = datasets.load_sample_images().images
    patches = []
    for number in range(count):
        photo = photos[number % len(photos)]
        top, left = (random.integers(0, extent - size) for extent in photo.shape[:2])
        patches.append(photo[top : top + size, left : left + size])
    return (np.stack(patches) / 255).astype("float32")


def waves(count: int = 768, length: int = 12) -> tuple[Array, Array]:
    """`[count, length, 1]` noisy sines of three frequencies, and the index of the frequency."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, count)
    time = np.arange(length)[None] * (0.4 + 0.5 * labels[:, None]) + random.uniform(0, 6, (count, 1))
    return (np.sin(time) + random.normal(0, 0.2, (count, length))).astype("float32")[..., None], labels.astype("int32")


def words(count: int = 1024, length: int = 12, vocabulary: int = 60) -> tuple[Array, Array]:
    """`[count, length]` int32 word numbers, higher ones rarer, and whether low even words outnumber the odd ones."""
    random = np.random.default_rng(2)
    rank = 1 / np.arange(1, vocabulary + 1) ** 1.3
    x = random.choice(vocabulary, (count, length), p=rank / rank.sum())
    y = (x % 2 == 0).sum(1) > length / 2
    return x.astype("int32"), y.astype("int32")


def _standard(x: Array) -> Array:
    return np.asarray(StandardScaler().fit_transform(x), "float32")
