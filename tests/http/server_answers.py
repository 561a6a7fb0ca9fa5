"""Real answers of every route as TypeScript, which the compiler checks against the types that the tab declares.

`python -m tests.http.server_answers` writes `frontend/tests/server_answers.ts`. A member that the server adds, drops or
renames changes that file, and then `npm run check` fails until `frontend/src/core/types.ts` follows.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import struct
import tempfile
import urllib.parse
from collections.abc import Mapping
from typing import Any, get_args

from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from werkzeug.test import Client

from tb_activations.plugin.errors import ErrorKind
from tb_activations.plugin.timeline import CODES
from tb_activations.records.columns import HISTOGRAM_KINDS, Scale
from tb_activations.records.finding import UNITS, Outcome, Severity
from tb_activations.records.unit_lives import LifeState
from tests.http.fuzzing import plugin_of
from tests.live_server import ROOT
from tests.synthetic import Plan, write_newer_schema, write_run

PATH = ROOT / "frontend" / "tests" / "server_answers.ts"
LAYER = "dense_2"
PICTURE = "feature_maps/dense_0"
JSON_ROUTES = {
    "RunList": "runs",
    "RunDescription": "run?run=sick",
    "Findings": "findings?run=sick&muted="
    + urllib.parse.quote('[{"rule": "dead_units", "layer": "dense_2", "severity": "problem"}]'),
    "Judgement": "judge?run=sick&rules=" + urllib.parse.quote('{"dead_units": {"problem_share": 1}}'),
    "PictureList": "pictures?run=sick",
    "PictureDetailsAnswer": f"picture_details?run=sick&tag={PICTURE}&step=0",
    "ErrorAnswer": "run?run=newer",
}
"""A route by the TypeScript type of its answer."""
FRAME_ROUTES = {
    "MatrixHeader": "matrix?run=sick&stat=mean&max_steps=2",
    "SeriesHeader": f"series?run=sick&layer={LAYER}&stats=mean,silent_fraction&max_steps=2",
    "UnitsHeader": f"units?run=sick&layer={LAYER}&max_steps=2",
    "HistogramsHeader": f"histograms?run=sick&layer={LAYER}&kind=gradient&max_steps=2",
    "SequencesHeader": "sequences?run=sick&layer=dense_0&max_steps=2",
}
ENUMERATIONS: Mapping[str, tuple[str, ...]] = {
    "Severity": tuple(Severity),
    "Outcome": tuple(outcome.name.lower() for outcome in Outcome),
    "HealthCode": CODES,
    "ErrorKind": tuple(ErrorKind),
    "ScaleKind": get_args(Scale),
    "LifeState": get_args(LifeState),
    "HistogramKind": HISTOGRAM_KINDS,
    "FindingUnit": UNITS,
}
"""All values by the TypeScript type that lists them. `Outcome` and `HealthCode` are in the order of
their codes."""
HEADER = """// Written by `python -m tests.http.server_answers` from real answers of the server. Do not edit.
import type {
  HistogramKind,
  HistogramsHeader,
  MatrixHeader,
  SequencesHeader,
  SeriesHeader,
  UnitsHeader,
} from "../src/core/frame";
import type {
  ErrorAnswer,
  ErrorKind,
  Findings,
  FindingUnit,
  HealthCode,
  Judgement,
  LifeState,
  Outcome,
  PictureDetailsAnswer,
  PictureList,
  RunDescription,
  RunList,
  ScaleKind,
  Severity,
} from "../src/core/types";

/** Fails to compile unless both types have the same members. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;
"""


@dataclasses.dataclass(frozen=True)
class Answers:
    """Real answers by TypeScript type: JSON, and the bytes of frames."""

    json: Mapping[str, Any]
    frames: Mapping[str, bytes]


def answers() -> Answers:
    """Asks every route for a small run, through TensorBoard's own reader but without a server process."""
    with tempfile.TemporaryDirectory() as folder:
        write_run(folder, name="sick", plan=Plan(layers=5, steps=12, units=2, pictures=True, recurrent=True, epoch=4))
        write_newer_schema(folder, "newer")
        reader = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance={"layer_health": 1000, "images": 10})
        reader.AddRunsFromDirectory(folder)
        reader.Reload()
        routes = plugin_of(data_provider.MultiplexerDataProvider(reader, folder)).get_plugin_apps()

        def body(path: str) -> bytes:
            content: bytes = Client(routes["/" + path.split("?")[0]]).get("/" + path).data
            return content

        return Answers(
            {name: json.loads(body(path)) for name, path in JSON_ROUTES.items()},
            {name: body(path) for name, path in FRAME_ROUTES.items()},
        )


def header_of(frame: bytes) -> Any:
    """The header of a frame."""
    (length,) = struct.unpack("<I", frame[:4])
    return json.loads(frame[4 : 4 + length])


def typescript(asked: Answers) -> str:
    """The text of the file."""
    parts = [HEADER]
    for name, answer in asked.json.items():
        parts.append(_constant(name, _shortened(answer)))
    for name, encoded in asked.frames.items():
        parts.append(_constant(name, header_of(encoded)))
        parts.append(f'export const {_camel(name)}Frame = "{base64.b64encode(encoded).decode()}";\n')
    for name, values in ENUMERATIONS.items():
        constant = f"{_camel(name)}Values"
        parts.append(f"export const {constant} = {json.dumps(list(values))} as const;\n")
        parts.append(f"export const {constant}AreDeclared: Same<(typeof {constant})[number], {name}> = true;\n")
    return "\n".join(parts)


def _shortened(value: Any) -> Any:
    """One entry of each list of objects, and no prose: wording must not change the file, only members and kinds."""
    match value:
        case dict():
            return {key: _shortened(member) for key, member in value.items()}
        case [dict(), *_]:
            return [_shortened(value[-1])]
        case str() if " " in value:
            return "…"
        case _:
            return value


def _constant(name: str, value: Any) -> str:
    return f"export const {_camel(name)}: {name} = {json.dumps(value, ensure_ascii=False)};\n"


def _camel(name: str) -> str:
    return name[0].lower() + name[1:]


if __name__ == "__main__":
    PATH.write_text(typescript(answers()), "utf-8")
