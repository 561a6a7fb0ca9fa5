"""Requests and event files that nobody would write on purpose: a few for the tests, many for `make fuzz`."""

from __future__ import annotations

import dataclasses
import http.client
import re
import struct
import urllib.parse
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.summary.writer.record_writer import RecordWriter

from tb_activations.events import pictures, stock
from tb_activations.events.encoding import Encoder
from tb_activations.events.reader import load
from tests.live_server import DEADLINE, ROOT, Server
from tests.synthetic import RULES, START_TIME, Plan, run_spec, write_events, write_run

with warnings.catch_warnings():
    # What TensorBoard brings along for cleaning HTML calls itself deprecated when it is imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    from tb_activations.plugin.plugin import LayerHealthPlugin

CONTRACT = (ROOT / "docs" / "http_api.md").read_text("utf-8")
ROUTES = sorted(LayerHealthPlugin(TBContext(data_provider=None)).get_plugin_apps())
"""As the plugin itself has them, so that a new one is asked too."""
PARAMETERS = sorted(set(re.findall(r"[?&](\w+)=", CONTRACT)))
LARGEST_BODY = 4 * 2**24 + 2**20
"""Bytes: the numbers that `docs/http_api.md` allows in one answer, and room for a header."""
STATUSES = {200, 304, 400, 404, 405, 409}

PLAN = Plan(layers=4, steps=4, units=2)
HOSTILE_LAYERS = (
    "<script>alert(1)</script>",
    "x" * 10_000,
    "../" * 100 + "etc/passwd",
    "\x00\x01\x1b[31m\r\nSet-Cookie: a=b\x7f\u2028\u202e",
)
HOSTILE_RUN = 'a\n\x1b[31m"<img src=x onerror=alert(1)>&?#%2F..'


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request as it goes over the wire, and what came back."""

    method: str
    path: str
    status: int
    length: int
    body: bytes


def write_pictured(log_dir: Path, name: str = "", steps: int = PLAN.steps) -> bytes:
    """A run with a picture; gives the bytes of its event file."""
    path = write_run(log_dir, name=name, plan=PLAN, steps=steps)
    maps = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
    value = stock.picture("feature_maps/dense_0", pictures.feature_maps(maps))
    event = Event(wall_time=START_TIME + 9, step=0, summary=Summary(value=[value]))
    write_records(path, [*records_of(path.read_bytes()), event.SerializeToString()])
    return path.read_bytes()


def write_targets(log_dir: Path) -> list[str]:
    """An ordinary run and one with hostile names; gives every name in them that a request may hold."""
    write_pictured(log_dir, name="run", steps=12)
    spec = run_spec(PLAN)
    layers = tuple(
        dataclasses.replace(layer, name=name) for layer, name in zip(spec.layers, HOSTILE_LAYERS, strict=True)
    )
    encoder = Encoder()
    hostile = dataclasses.replace(spec, layers=layers, model=HOSTILE_LAYERS[0])
    events = [Event(wall_time=START_TIME, step=0, summary=encoder.run(hostile))]
    for record in load(log_dir, "run").records():
        outcomes = np.zeros((PLAN.layers, len(RULES)), np.uint8)
        summary = encoder.record(record, outcomes=outcomes, rules=RULES, findings=[])
        events.append(Event(wall_time=START_TIME + record.step, step=record.step, summary=summary))
    write_events(log_dir / HOSTILE_RUN, events)
    return ["run", HOSTILE_RUN, "feature_maps/dense_0", *HOSTILE_LAYERS, *(layer.name for layer in spec.layers)]


def requests(names: Sequence[str]) -> st.SearchStrategy[tuple[str, str]]:
    """Method and path below the plugin's address: routes with parameters, right, odd and hostile; and strange paths.

    Args:
        names: that are right somewhere, such as those of runs and layers.
    """
    words = sorted(set(re.findall(r"[a-z_]{3,}", CONTRACT)))
    good = st.sampled_from([*names, *words, "1", "1000"]).map(lambda text: urllib.parse.quote(text, safe=","))
    odd = st.one_of(
        st.text(max_size=20).map(lambda text: urllib.parse.quote(text.encode("utf-8", "surrogatepass"), safe="")),
        st.binary(max_size=20).map(lambda raw: urllib.parse.quote(raw, safe="")),
        st.sampled_from(["", "%00", "%ff", "%", "%u0041", "x" * 10_000, "-1", "0", "1e9", "9" * 400, "NaN", "run,run"]),
        st.lists(good, max_size=70).map(",".join),
    )
    name = st.sampled_from(PARAMETERS)
    pairs = st.lists(st.tuples(name, st.one_of(good, good, odd)).map("=".join), max_size=7)
    # Most requests name a run that is there, and so come further than the first check.
    query = st.tuples(st.sampled_from(["run=run", "run=run", "run=" + urllib.parse.quote(HOSTILE_RUN), ""]), pairs)
    joined = query.map(lambda parts: "&".join([part for part in [parts[0]] if part] + parts[1]))
    asked = st.tuples(st.sampled_from(ROUTES), joined).map(lambda pair: f"{pair[0].rstrip('*')}?{pair[1]}")
    strange = st.lists(
        st.sampled_from(
            ["..", "%2e%2e", "%2f", "static", "index.js", "etc", "passwd", ".", "", "%00", "runs", "\\..", "~"]
        ),
        min_size=1,
        max_size=8,
    ).map(lambda parts: "/" + "/".join(parts))
    methods = st.sampled_from(["GET"] * 12 + ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "odd"])
    return st.tuples(methods, st.one_of(asked, asked, asked, asked, asked, asked, strange))


def ask(server: Server, method: str, path: str) -> Asked:
    """One request on a connection of its own."""
    address = urllib.parse.urlsplit(server.data_url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=DEADLINE)
    try:
        connection.request(method, address.path.rstrip("/") + path)
        answer = connection.getresponse()
        body = answer.read()
        return Asked(method, path, answer.status, len(body), body)
    finally:
        connection.close()


def ask_together(server: Server, pool: ThreadPoolExecutor, wanted: Sequence[tuple[str, str]]) -> list[Asked]:
    """Several requests at the same time."""
    return list(pool.map(lambda request: ask(server, *request), wanted))


def complaint(asked: Asked) -> str:
    """What is wrong with an answer; "" for nothing."""
    what = f"{asked.method} {asked.path[:300]}: "
    if asked.status not in STATUSES:
        return f"{what}status {asked.status}, {asked.body[:300]!r}"
    if asked.length > LARGEST_BODY:
        return f"{what}{asked.length} bytes"
    if b"root:x:" in asked.body or b"class LayerHealthPlugin" in asked.body:
        return f"{what}a file that is none of its business"
    return ""


def every_route(run: str) -> list[tuple[str, str]]:
    """A request for each route that takes a run, which comes as far as it can with this one."""
    query = {"run": run, "layer": "dense_0", "stat": "mean", "stats": "mean", "kind": "gradient"}
    query |= {"tag": "feature_maps/dense_0", "step": "0"}
    return [("GET", f"{route.rstrip('*')}?{urllib.parse.urlencode(query)}") for route in ROUTES if route != "/runs"]


def records_of(content: bytes) -> list[bytes]:
    """The records of an undamaged event file."""
    found, place = [], 0
    while place < len(content):
        (length,) = struct.unpack("<Q", content[place : place + 8])
        found.append(content[place + 12 : place + 12 + length])
        place += 16 + length
    return found


def write_records(path: Path, records: Sequence[bytes]) -> None:
    """An event file of these records, whatever they hold, with the right checksums."""
    with path.open("wb") as file:
        writer = RecordWriter(file)
        for record in records:
            writer.write(record)


def mutations(content: bytes, *, are_events: bool = False) -> st.SearchStrategy[Callable[[Path], object]]:
    """Ways to write a damaged or hostile file made from an undamaged one.

    Args:
        content: of the undamaged file.
        are_events: whether records behind right checksums stay events. TensorBoard's Python loader gives up loading,
            for all runs, at the first that is none.
    """
    records = records_of(content)
    anywhere = st.floats(0, 1, exclude_max=True)
    # Behind a right checksum a damaged record reaches the decoder; without one the file ends there for the readers.
    damaged = st.lists(st.tuples(anywhere, anywhere, st.binary(max_size=6)), min_size=1, max_size=4)
    shuffled = st.lists(st.sampled_from(records), max_size=12)
    raw = st.one_of(
        st.tuples(anywhere, anywhere).map(lambda cut: content[: int(cut[0] * len(content))]),
        st.lists(st.tuples(anywhere, st.integers(0, 255)), min_size=1, max_size=5).map(lambda f: _flipped(content, f)),
        st.binary(max_size=64),
        st.sampled_from([b"", b"\x89PNG\r\n\x1a\n" + content, b"\x00" * 4096, b"\xff" * 64, content + b"\x00" * 4096]),
    )
    return st.one_of(
        damaged.map(lambda spots: partial(write_records, records=_damaged(records, spots, are_events))),
        damaged.map(lambda spots: partial(write_records, records=_damaged(records, spots, are_events))),
        shuffled.map(lambda chosen: partial(write_records, records=chosen)),
        raw.map(lambda bytes_: lambda path: path.write_bytes(bytes_)),
    )


def write_mutant(log_dir: Path, name: str, mutation: Callable[[Path], object]) -> None:
    """Writes the only event file of a new run."""
    folder = log_dir / name
    folder.mkdir(parents=True)
    mutation(folder / "events.out.tfevents.1.mutant.1.0")


def _flipped(content: bytes, flips: Sequence[tuple[float, int]]) -> bytes:
    changed = bytearray(content)
    for place, value in flips:
        changed[int(place * len(changed))] ^= value
    return bytes(changed)


def _damaged(records: Sequence[bytes], spots: Sequence[tuple[float, float, bytes]], are_events: bool) -> list[bytes]:
    changed = list(records)
    for which, where, put in spots:
        index = int(which * len(changed))
        record, place = changed[index], int(where * len(changed[index]))
        damaged = record[:place] + put + record[place + len(put) :]
        changed[index] = damaged if not are_events or _is_event(damaged) else record
    return changed


def _is_event(record: bytes) -> bool:
    try:
        Event.FromString(record)
    except DecodeError:
        return False
    return True
