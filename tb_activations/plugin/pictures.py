"""Pictures of a run out of TensorBoard's own image series, without the numbers that belong to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tensorboard.data.provider import BlobSequenceDatum, BlobSequenceTimeSeries, RunTagFilter
from tensorboard.plugins.image.metadata import PLUGIN_NAME as IMAGES

from tb_activations.plugin.errors import UnknownError
from tb_activations.plugin.store import Source

MOST_STEPS = 1000
"""Of one series; TensorBoard itself keeps 10 unless it was asked for more."""
_SIZES = 2
"""Values of a sequence before the first picture: width and height."""


@dataclasses.dataclass(frozen=True)
class Gallery:
    """The pictures of one run.

    Attributes:
        series: what is known of each tag.
        data: the steps of each tag that hold a picture, ascending; of several pictures of a step the first counts.
    """

    series: Mapping[str, BlobSequenceTimeSeries]
    data: Mapping[str, Sequence[BlobSequenceDatum]]


def gallery(source: Source, run: str, tag: str | None = None) -> Gallery:
    """The pictures of a run, of one tag or of all; empty when it has none."""
    chosen = RunTagFilter(runs=[run], tags=None if tag is None else [tag])
    about = {"experiment_id": source.experiment, "plugin_name": IMAGES, "run_tag_filter": chosen}
    series = source.provider.list_blob_sequences(source.context, **about).get(run, {})
    read = source.provider.read_blob_sequences(source.context, downsample=MOST_STEPS, **about).get(run, {})
    return Gallery(series, {name: _pictured(read.get(name, ())) for name in series})


def listing(source: Source, run: str) -> list[dict[str, Any]]:
    """The entries of `pictures`, by tag."""
    found = gallery(source, run)
    return [
        _entry(source, tag, found.series[tag].description, found.data[tag])
        for tag in sorted(found.series)
        if found.data[tag]
    ]


def picture(source: Source, run: str, tag: str, step: int) -> bytes:
    """The encoded picture of one step.

    Raises:
        UnknownError: the run has no such tag, or no picture of it at this step.
    """
    found = gallery(source, run, tag)
    if tag not in found.series:
        raise UnknownError(f"no picture {tag!r} in run {run!r}")
    datum = next((datum for datum in found.data[tag] if datum.step == step), None)
    if datum is None:
        raise UnknownError(f"no picture {tag!r} of step {step} in run {run!r}")
    return _read(source, datum, _SIZES)


def _entry(source: Source, tag: str, description: str, data: Sequence[BlobSequenceDatum]) -> dict[str, Any]:
    kind, _, subject = tag.partition("/")
    return {
        "tag": tag,
        "kind": kind,
        "subject": subject,
        "description": description,
        "steps": [datum.step for datum in data],
        "wall_times": [datum.wall_time for datum in data],
        "size": [_length(source, data[-1], axis) for axis in range(_SIZES)],
    }


def _pictured(data: Sequence[BlobSequenceDatum]) -> list[BlobSequenceDatum]:
    """Ascending, each step once; a step that was written again counts as it was written last."""
    by_step = {datum.step: datum for datum in data if len(datum.values) > _SIZES}
    return [by_step[step] for step in sorted(by_step)]


def _length(source: Source, datum: BlobSequenceDatum, axis: int) -> int:
    """Pixels as the file says, 0 when it says no number."""
    text = _read(source, datum, axis)
    return int(text) if text.isdigit() and len(text) <= 5 else 0


def _read(source: Source, datum: BlobSequenceDatum, position: int) -> bytes:
    content: bytes = source.provider.read_blob(source.context, blob_key=datum.values[position].blob_key)
    return content
