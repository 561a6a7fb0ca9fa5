"""The scalars in event files of any writer."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.util.tensor_util import make_ndarray

from tb_activations.events.record_file import DamagedFileError, records

_PLUGIN = "scalars"


@dataclasses.dataclass(frozen=True)
class Scalar:
    """One point of a scalar."""

    tag: str
    step: int
    wall_time: float
    value: float


def scalars(files: Sequence[Path]) -> Iterator[Scalar]:
    """The points of all scalars in the order of the files; a warning names a damaged file, which is read up to there.

    Raises:
        OSError: a file cannot be read.
    """
    # Only the first value of a tag needs to state its plugin.
    plugins: dict[str, str] = {}
    for path in files:
        try:
            for content in records(path):
                event = Event.FromString(content)
                for value in event.summary.value:
                    plugins[value.tag] = value.metadata.plugin_data.plugin_name or plugins.get(value.tag, "")
                    number = _number(value, plugins[value.tag])
                    if number is not None:
                        yield Scalar(value.tag, event.step, event.wall_time, number)
        except (DamagedFileError, DecodeError) as error:
            warnings.warn(f"{path} is damaged; read up to there: {error}", stacklevel=2)


def _number(value: Summary.Value, plugin: str) -> float | None:
    if value.HasField("simple_value"):
        return float(value.simple_value)
    if plugin != _PLUGIN or not value.HasField("tensor") or value.tensor.tensor_shape.dim:
        return None
    try:
        return float(make_ndarray(value.tensor))
    except (TypeError, ValueError):
        return None
