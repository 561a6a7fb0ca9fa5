"""Differences between the pictures of two runs."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tb_activations.comparison.difference import Cause, Difference, Placed
from tb_activations.comparison.statistics import PICTURES, Matched
from tb_activations.comparison.structure import ABSENT, PRESENT
from tb_activations.comparison.tolerance import Tolerance, close
from tb_activations.events import stock_tags
from tb_activations.events.run import Run

Pictures = dict[int, bytes]
"""PNG by step."""
_LEVELS = 255


def pictures(matched: Matched) -> Iterator[Placed]:
    """The first step at which each picture differs, and by how many pixels.

    Neighboring levels of a color count as equal unless both tolerances are 0. Pictures are those of the image plugin in
    the files of the runs; a run that was not read from files has none.
    """
    for tag, (expected, actual) in _pairs(matched.expected, matched.actual, matched.pairing.renamed).items():
        tolerance = matched.tolerances.at("pictures")
        if not expected or not actual:
            values = (PRESENT, ABSENT) if expected else (ABSENT, PRESENT)
            yield Placed((-1,), Difference(f"pictures {tag}", *values, cause=Cause.PICTURE))
            continue
        common = sorted(expected.keys() & actual.keys())
        differ = [(step, found) for step in common if (found := _different(expected[step], actual[step], tolerance))]
        if differ:
            step, (size, share) = differ[0]
            yield Placed(
                (step, PICTURES),
                Difference(
                    f"picture {tag}",
                    size,
                    share,
                    step,
                    tolerance=str(tolerance),
                    cause=Cause.PICTURE,
                    count=len(differ),
                    compared=len(common),
                ),
            )


def last_pictures(
    expected: Run, actual: Run, renamed: Mapping[str, str], tags: list[str]
) -> dict[str, tuple[bytes | None, bytes | None]]:
    """PNGs by tag at the last step that has a picture in both runs; None for a run without pictures of the tag."""
    found: dict[str, tuple[bytes | None, bytes | None]] = {}
    for tag, (one, other) in _pairs(expected, actual, renamed).items():
        common = one.keys() & other.keys()
        if tag in tags and (common or not one or not other):
            steps = (max(common),) * 2 if common else (max(one, default=0), max(other, default=0))
            found[tag] = one.get(steps[0]), other.get(steps[1])
    return found


def _pairs(expected: Run, actual: Run, renamed: Mapping[str, str]) -> dict[str, tuple[Pictures, Pictures]]:
    """The pictures of both runs by their tag in the expected run."""
    own, others = _all(expected), _all(actual)
    names = {_renamed(tag, renamed): tag for tag in own}
    paired = {names.get(tag, tag): found for tag, found in others.items()}
    return {tag: (own.get(tag, {}), paired.get(tag, {})) for tag in sorted({*own, *paired})}


def _all(run: Run) -> dict[str, Pictures]:
    found: dict[str, Pictures] = {}
    for tag in stock_tags.tags(run.files, stock_tags.IMAGES):
        found[tag] = {one.step: one.content for one in stock_tags.images(run.files, tag)}
    return found


def _renamed(tag: str, names: Mapping[str, str]) -> str:
    kind, _, layer = tag.partition("/")
    return f"{kind}/{names[layer]}" if layer in names else tag


def _different(expected: bytes, actual: bytes, tolerance: Tolerance) -> tuple[str, str] | None:
    """Both pictures in words; None if they are equal."""
    if expected == actual:
        return None
    one, other = _pixels(expected), _pixels(actual)
    sizes = [f"{pixels.shape[1]} x {pixels.shape[0]} pixels" for pixels in (one, other)]
    if one.shape != other.shape:
        return sizes[0], sizes[1]
    atol = tolerance.atol if tolerance.is_exact else max(tolerance.atol, 1.5 / _LEVELS)
    differs = ~close(one / _LEVELS, other / _LEVELS, tolerance.rtol, atol).all(axis=2)
    return ("equal", f"{differs.mean():.2%} of the pixels differ") if differs.any() else None


def _pixels(png: bytes) -> NDArray[np.float64]:
    """`[height, width, 3]` in 0 to 255."""
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"), np.float64)
