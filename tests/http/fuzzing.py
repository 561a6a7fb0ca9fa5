"""Requests that nobody would send on purpose: a few for the tests, many for `make fuzz`."""

from __future__ import annotations

import dataclasses
import http.client
import re
import urllib.parse
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.base_plugin import TBContext

from tb_activations.events.encoding import Encoder
from tb_activations.events.reader import load
from tb_activations.pictures import kinds
from tb_activations.plugin import errors
from tb_activations.recording import stock
from tests.http.mutants import Mutation, mutations, records_of, write_records
from tests.live_server import DEADLINE, ROOT, Server
from tests.synthetic import RULES, START_TIME, Plan, run_spec, write_events, write_run

with warnings.catch_warnings():
    # What TensorBoard brings along for cleaning HTML calls itself deprecated when it is imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    from tb_activations.plugin.plugin import LayerHealthPlugin


def plugin_of(provider: object) -> LayerHealthPlugin:
    """The plugin with this data provider."""
    return LayerHealthPlugin(TBContext(data_provider=provider))


CONTRACT = (ROOT / "docs" / "http_api.md").read_text("utf-8")
ROUTES = sorted(plugin_of(None).get_plugin_apps())
"""As the plugin itself has them, so that a new one is asked too."""
PARAMETERS = sorted(set(re.findall(r"[?&](\w+)=", CONTRACT)))
LARGEST_BODY = 4 * 2**24 + 40 * 2**20
"""Bytes: the numbers that `docs/http_api.md` allows in one answer, and its largest header."""
STATUSES = {200, 304, *errors.STATUSES.values()}

PLAN = Plan(layers=4, steps=4, units=2)
HOSTILE_LAYERS = (
    "<script>alert(1)</script>",
    "x" * 10_000,
    "../" * 100 + "etc/passwd",
    "\x00\x01\x1b[31m\r\nSet-Cookie: a=b\x7f\u2028\u202e",
)
HEADERS: tuple[dict[str, str], ...] = (
    {"Accept-Encoding": "gzip"},
    {"Accept-Encoding": "gzip;q=zero, *;q=-1, " + "x," * 2000},
    {"Accept": "../../etc/passwd"},
    {"Range": "bytes=9-1,-5"},
    {"If-None-Match": "*", "If-Modified-Since": "yesterday"},
    {"Content-Type": "multipart/form-data; boundary=", "Content-Length": "0"},
    {"Host": "evil.example:80"},
    {"Origin": "http://evil.example", "Referer": "file:///etc/passwd"},
    {"X-Forwarded-Prefix": "/..", "X-Original-URL": "/etc/passwd", "X-HTTP-Method-Override": "DELETE"},
    {"Cookie": "a=b; " * 500},
    {"Upgrade": "websocket", "Connection": "Upgrade"},
    {"X-Odd": "\xff\x80"},
)
OWN_HOST = "{host}"
"""Stands for the address of the server in a header."""
FROM_THE_TAB = {"Content-Type": "application/json", "Origin": f"http://{OWN_HOST}"}
BODIES = (
    b'{"findings": [{"rule": "dead_units", "layer": "dense_2"}], "note": "n"}',
    b'{"findings": [{"rule": "dead_units", "layer": "../../etc/passwd"}], "note": null}',
    b'{"findings": [], "note": "n"}',
    b'{"findings": {"rule": 1}, "note": 2}',
    b"[" * 100_000,
    b"\xff{}",
    b"x" * 300_000,
    b"",
)
STRANGE = (
    *("..", ".", "", "%2e%2e", "%252e%252e", "%2f", "%252f", "..%c0%af", "%00", "\\..", "~"),
    *("static", "index.js", "etc", "passwd", "runs"),
)
"""Parts of paths that no page asks for."""
HOSTILE_RUN = 'a\n\x1b[31m"<img src=x onerror=alert(1)>&?#%2F..'


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A request as it goes over the wire; `path` is relative to the address of the plugin."""

    method: str
    path: str
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""


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
    value = picture_value("feature_maps/dense_0")
    event = Event(wall_time=START_TIME + 9, step=0, summary=Summary(value=[value]))
    write_records(path, [*records_of(path.read_bytes()), event.SerializeToString()])
    return path.read_bytes()


def write_grown(log_dir: Path) -> bytes:
    """A run that was described three times, with other layers, weights and units; gives the bytes of its event file."""
    version, *first = records_of(write_run(log_dir / "first", plan=PLAN).read_bytes())
    plans = (dataclasses.replace(PLAN, layers=6, units=3), PLAN)
    later: list[bytes] = []
    for number, plan in enumerate(plans, 1):
        begun = dataclasses.replace(
            plan, start_step=number * PLAN.step(PLAN.steps), start_time=START_TIME + number * PLAN.steps
        )
        later += records_of(write_run(log_dir / str(number), plan=begun).read_bytes())[1:]
    path = log_dir / "grown.tfevents"
    write_records(path, [version, *first, *later])
    return path.read_bytes()


def mutated_files(folder: Path, *, are_events: bool) -> st.SearchStrategy[tuple[str, Mutation]]:
    """Ways to damage a sound file, as `mutations` makes them; the sound ones are made in this folder."""
    contents = write_pictured(folder / "pictured"), write_grown(folder / "grown")
    return st.one_of([mutations(content, are_events=are_events) for content in contents])


def picture_value(tag: str) -> Summary.Value:
    """A picture of this package."""
    maps = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
    return stock.picture(tag, kinds.feature_maps(maps))


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


def requests(names: Sequence[str], run: str = "run") -> st.SearchStrategy[Wanted]:
    """Methods, paths and headers: routes with parameters, right, odd and hostile; and strange paths.

    Args:
        names: that are right somewhere, such as those of runs and layers.
        run: that most of them name, and so come further than the first check.
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
    runs = st.sampled_from([f"run={run}", f"run={run}", "run=" + urllib.parse.quote(HOSTILE_RUN), ""])
    query = st.tuples(runs, pairs).map(lambda parts: "&".join([*filter(None, parts[:1]), *parts[1]]))
    asked = st.tuples(st.sampled_from(ROUTES), query).map("?".join)
    right = st.sampled_from([wanted.path for wanted in every_route(run)])
    nearly = st.tuples(right, pairs).map(lambda parts: "&".join([parts[0], *parts[1]]))
    strange = st.lists(st.sampled_from(STRANGE), min_size=1, max_size=8).map(lambda parts: "/" + "/".join(parts))
    methods = st.sampled_from(["GET"] * 12 + ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "odd"])
    paths = st.one_of(asked, asked, asked, asked, nearly, nearly, strange)
    headers = st.sampled_from([{}] * len(HEADERS) + list(HEADERS))
    writes = st.tuples(st.just("/mute"), query).map("?".join)
    bodies = st.one_of(st.sampled_from(BODIES), st.binary(max_size=100))
    written = st.builds(Wanted, st.just("POST"), writes, st.sampled_from([FROM_THE_TAB, *HEADERS]), bodies)
    plain = st.builds(Wanted, methods, paths, headers)
    # Equal alternatives of `one_of` would count once.
    return st.sampled_from([plain] * 11 + [written]).flatmap(lambda kind: kind)


def ask(server: Server, wanted: Wanted) -> Asked:
    """One request on a connection of its own."""
    address = urllib.parse.urlsplit(server.data_url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=DEADLINE)
    try:
        connection.request(
            wanted.method, address.path.rstrip("/") + wanted.path, wanted.body, _filled(wanted, address.netloc)
        )
        answer = connection.getresponse()
        body = answer.read()
        return Asked(wanted.method, wanted.path, answer.status, len(body), body)
    finally:
        connection.close()


def _filled(wanted: Wanted, host: str) -> dict[str, str]:
    """The headers, with the address of the server where they leave it open."""
    return {name: value.replace(OWN_HOST, host) for name, value in wanted.headers.items()}


def ask_together(server: Server, pool: ThreadPoolExecutor, wanted: Sequence[Wanted]) -> list[Asked]:
    """Several requests at the same time."""
    return list(pool.map(lambda request: ask(server, request), wanted))


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


def every_route(run: str) -> list[Wanted]:
    """A request for each route that takes a run, which comes as far as it can with this one."""
    query = {"run": run, "layer": "dense_0", "stat": "mean", "stats": "mean", "kind": "gradient"}
    query |= {"tag": "feature_maps/dense_0", "step": "0", "rules": '{"dead_units": {"note_share": 0.2}}'}
    routes = [route for route in ROUTES if route not in ("/runs", "/index.js", "/mute")]
    return [Wanted("GET", f"{route}?{urllib.parse.urlencode(query)}") for route in routes]
