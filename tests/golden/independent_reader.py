"""A reader of runs written from `docs/events.md` alone: protobuf, zlib, NumPy, and nothing of this package."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event

PREFIX = "layer_health/"
FLOAT, UINT8, STRING = 1, 4, 7
PACKED = {
    "layers": np.float32,
    "weights": np.float32,
    "histograms": np.float32,
    "outcomes": np.uint8,
    "units": np.uint8,
}
INSUFFICIENT_DATA = 5
NEVER, NOT_MEASURED = 0, 254
CRC_TABLE = [0] * 256


for byte in range(256):
    remainder = byte
    for _ in range(8):
        remainder = (remainder >> 1) ^ (0x82F63B78 if remainder & 1 else 0)
    CRC_TABLE[byte] = remainder


def checksum(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for one in data:
        crc = CRC_TABLE[(crc ^ one) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17 & 0xFFFFFFFF)) + 0xA282EAD8) & 0xFFFFFFFF


def contents(path: Path) -> Iterator[bytes]:
    data, place = path.read_bytes(), 0
    while place + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        content = data[place + 12 : place + 12 + length]
        footer = data[place + 12 + length : place + 16 + length]
        if len(footer) < 4:
            return
        assert struct.unpack_from("<I", data, place + 8)[0] == checksum(data[place : place + 8])
        assert struct.unpack("<I", footer)[0] == checksum(content)
        yield content
        place += 16 + length


def unpacked(stream: bytes, kind: Any) -> Any:
    content = zlib.decompress(stream)
    (axes,) = struct.unpack_from("<I", content)
    shape = struct.unpack_from(f"<{axes}I", content, 4)
    values = content[4 + 4 * axes :]
    if kind == np.uint8:
        return np.frombuffer(values, np.uint8).reshape(shape)
    planes = np.frombuffer(values, np.uint8).reshape(4, -1)
    columns = np.frombuffer(np.ascontiguousarray(planes.T).tobytes(), "<f4")
    return np.moveaxis(columns.reshape(shape[-1:] + shape[:-1]), 0, -1)


def value_of(tag: str, tensor: Any) -> Any:
    shape = [dimension.size for dimension in tensor.tensor_shape.dim]
    if tensor.dtype == STRING:
        return [text.decode() for text in tensor.string_val]
    if tensor.dtype == UINT8 and tag in PACKED and len(shape) == 1:
        return unpacked(tensor.tensor_content, PACKED[tag])
    if tensor.dtype == UINT8 and tag == "findings":
        return tensor.tensor_content
    return np.frombuffer(tensor.tensor_content, {FLOAT: "<f4", UINT8: "u1"}[tensor.dtype]).reshape(shape)


def id_of(finding: dict[str, Any]) -> str:
    return f"{finding['rule']}:{finding['layer']}:{finding['opened_step']}"


class Reader:
    """One run of a folder: values by tag and step, in the rows of the newest description."""

    def __init__(self, folder: Path) -> None:
        self.columns: dict[str, list[str]] = {}
        self._points: dict[str, dict[int, tuple[float, Any]]] = {}
        for path in sorted(folder.glob("*tfevents*")):
            for content in contents(path):
                event = Event.FromString(content)
                for value in event.summary.value:
                    if value.tag.startswith(PREFIX):
                        self._add(value.tag.removeprefix(PREFIX), event, value)
        self._descriptions = {step: json.loads(one[0]) for step, (_, one) in self._points["run"].items()}
        self.description = list(self._descriptions.values())[-1]
        self.values = {tag: self._valid(tag) for tag in self._points}
        self.steps = np.array(list(self.values["layers"]), np.int64)

    def _add(self, tag: str, event: Any, value: Any) -> None:
        if value.metadata.plugin_data.content and tag not in self.columns:
            self.columns[tag] = json.loads(value.metadata.plugin_data.content)["columns"]
        earlier = {step: one for step, one in self._points.get(tag, {}).items() if step < event.step}
        self._points[tag] = {**earlier, event.step: (event.wall_time, value_of(tag, value.tensor))}

    def _valid(self, tag: str) -> dict[int, Any]:
        """Without what a continued training replaced."""
        starts = {step: time for step, (time, _) in self._points["run"].items()}
        return {
            step: self._in_newest_rows(tag, step, value)
            for step, (time, value) in self._points[tag].items()
            if time >= max((start for at, start in starts.items() if at <= step), default=time)
        }

    def _in_newest_rows(self, tag: str, step: int, value: Any) -> Any:
        kind = {"weights": "weights", "layers": "layers", "histograms": "layers", "outcomes": "layers"}.get(tag)
        if kind is None:
            return value
        old = [one for at, one in self._descriptions.items() if at <= step][-1:] or [self.description]
        rows = {row["name"]: place for place, row in enumerate(old[0][kind])}
        missing = np.full_like(value[:1], INSUFFICIENT_DATA if tag == "outcomes" else np.nan)
        moved = [value[rows[row["name"]]] if row["name"] in rows else missing[0] for row in self.description[kind]]
        return np.stack(moved) if moved else value

    @property
    def layers(self) -> list[str]:
        return [layer["name"] for layer in self.description["layers"]]

    @property
    def findings(self) -> list[dict[str, Any]]:
        order: list[str] = []
        known: dict[str, dict[str, Any]] = {}
        for value in self.values.get("findings", {}).values():
            texts = value
            if isinstance(value, bytes):
                head, *texts = zlib.decompress(value).decode().split("\n")
            found = [json.loads(text) for text in texts]
            known |= {id_of(one): one for one in found}
            order = json.loads(head) if isinstance(value, bytes) else [id_of(one) for one in found]
        return [known[one] for one in order]

    def table(self, tag: str, column: str) -> Any:
        """`[steps, rows]`, or `[steps]` for the training as a whole."""
        place = self.columns[tag].index(column)
        found = self.values[tag]
        nothing = np.full_like(next(iter(found.values())), np.nan)
        return np.stack([found.get(step, nothing)[..., place] for step in self.steps.tolist()])

    def outcomes(self, rule: str) -> Any:
        """`[steps, layers]`."""
        place = self.columns["outcomes"].index(rule)
        held = np.full(len(self.layers), INSUFFICIENT_DATA, np.uint8)
        rows = []
        for step in self.steps.tolist():
            if step in self.values["outcomes"]:
                held = self.values["outcomes"][step][:, place]
            rows.append(held)
        return np.stack(rows)

    def units(self, layer: str) -> tuple[Any, Any]:
        """Activity and peak of the units of a layer, both `[steps, units]`."""
        start = 0
        for one in self.description["layers"]:
            if one["name"] == layer:
                break
            start += one["units"]
        own = slice(start, start + one["units"])
        latest = np.full(one["units"], 1)
        activity, peak = [], []
        for step in self.steps.tolist():
            planes = self.values["units"][step]
            codes = planes[0, own].astype(int)
            known = planes[2, own] != 0 if len(planes) == 3 else np.ones(len(codes), bool)
            codes = np.where(known | (codes == NEVER), codes, latest)
            latest = np.where(known & (codes != NEVER) & (codes != NOT_MEASURED), codes, latest)
            activity.append(decoded(codes, -6 + 6 * (codes - 1) / 253, 1.0))
            codes = planes[1, own].astype(int)
            peak.append(decoded(codes, -12 + 24 * (codes - 1) / 252, np.inf))
        return np.stack(activity), np.stack(peak)


def decoded(codes: Any, exponents: Any, top: float) -> Any:
    values = 10.0**exponents
    return np.select([codes == NEVER, codes == NOT_MEASURED, codes == 255], [0.0, np.nan, top], values)
