"""The TensorBoard plugin: maps routes to answers."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tensorboard import plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from tensorboard.util import img_mime_type_detector
from werkzeug.wrappers import Request, Response

from tb_activations.events import schema
from tb_activations.events.run import Run
from tb_activations.events.schema import PLUGIN_NAME
from tb_activations.pictures.kinds import read_details
from tb_activations.plugin import answers, bounds, parameters, pictures, store
from tb_activations.plugin.errors import ApiError, BadMethodError, CannotReadError, TooLargeError
from tb_activations.plugin.frames import Frame, to_json
from tb_activations.plugin.judging import Judging
from tb_activations.plugin.muted import Muted
from tb_activations.plugin.muting import Muting, check_page
from tb_activations.plugin.overview import overview
from tb_activations.plugin.series import LAYER_SERIES
from tb_activations.plugin.source import Source
from tb_activations.records.columns import HISTOGRAM_KINDS, STEP_COLUMNS
from tb_activations.records.mute import NO_MUTES, Mutes
from tb_activations.report.page import report_page
from tb_activations.report.stored import judged

Query = Mapping[str, str]
Wsgi = Callable[..., Any]

PAGE = Path(__file__).parent.parent / "static" / "index.js"
READING, WRITING = ("GET", "HEAD"), ("POST",)
PICTURE_SECONDS = 60
"""How long a browser may cache a picture: the step cursor returns to the same ones often."""
LONGEST_FILE_NAME = 80
_NO_PAGE = """export function render() {
  document.body.textContent =
    "This installation lacks the Layer Health page. Run `make bundle`, then reload.";
}
"""


class LayerHealthPlugin(base_plugin.TBPlugin):
    """Serves the Layer Health tab and its data."""

    plugin_name = PLUGIN_NAME

    def __init__(self, context: base_plugin.TBContext) -> None:
        self._provider = context.data_provider
        self._store = store.RunStore()
        self._muting, self._judging = Muting(context), Judging()
        self._picture_memory = pictures.Memory()

    def is_active(self) -> bool:
        """Always False: TensorBoard detects data of this plugin itself."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """Name of the tab and URL of its page."""
        return base_plugin.FrontendMetadata(es_module_path="/index.js", tab_name="Layer Health")

    def get_plugin_apps(self) -> dict[str, Wsgi]:
        """The routes."""
        return {
            "/index.js": _application(lambda request: _page(request)),
            "/runs": _application(self._runs),
            "/run": _application(self._run),
            "/findings": _application(self._findings),
            "/judge": _application(self._judge),
            "/mute": _application(self._mute, WRITING),
            "/matrix": _application(self._matrix),
            "/series": self._of_run(store.TABLES, _series),
            "/epochs": self._of_run(store.EPOCHS, _epochs),
            "/units": self._of_run(store.UNITS, _units),
            "/histograms": self._of_run(store.HISTOGRAMS, _histograms),
            "/sequences": self._of_run(store.SEQUENCES, _sequences),
            "/report": _application(self._report),
            "/pictures": _application(self._pictures),
            "/picture": _application(self._picture),
            "/picture_details": _application(self._picture_details),
        }

    def _source(self, request: Request) -> Source:
        return Source(self._provider, plugin_util.context(request.environ), plugin_util.experiment_id(request.environ))

    def _runs(self, request: Request) -> Response:
        source = self._source(request)
        start_times, tags = source.start_times(), source.tags()
        newest_first = sorted(tags, key=lambda name: (start_times.get(name) or 0.0, name), reverse=True)
        read = {name: tags[name] for name in newest_first[: bounds.MOST_RUNS]}

        def about(name: str) -> tuple[float | None, Mutes]:
            return start_times.get(name), self._muting.of(name)[0]

        def summary(name: str, read: store.Glance | CannotReadError) -> dict[str, Any]:
            if isinstance(read, CannotReadError):
                return answers.unreadable_summary(name, read.kind, read.reason)
            start_time, mutes = about(name)
            return answers.run_summary(read.run, start_time, overview(read.run, read.latest, mutes))

        summaries = self._store.overviews(source, read, summary, about)
        return _respond(request, answers.run_list(summaries, unread=len(tags) - len(read)))

    def _run(self, request: Request) -> Response:
        run = self._read(request, store.TABLES)
        return _respond(request, answers.description(run, self._muted(request).all))

    def _findings(self, request: Request) -> Response:
        run = self._read(request, store.TABLES)
        return _respond(request, answers.findings(run, self._muted(request)))

    def _matrix(self, request: Request) -> Response:
        run = self._read(request, store.TABLES)
        stat = parameters.choice(request.args, "stat", (answers.HEALTH, *LAYER_SERIES))
        mutes = self._muted(request).all if stat == answers.HEALTH else NO_MUTES
        return _respond(request, answers.matrix(run, stat, parameters.max_steps(request.args), mutes))

    def _judge(self, request: Request) -> Response:
        name, rules = parameters.text(request.args, "run"), parameters.rules(request.args)
        mutes, experiment = self._muted(request).all, plugin_util.experiment_id(request.environ)
        self._store.check(self._source(request), name)

        def read() -> Run:
            return self._read(request, store.TABLES | store.UNITS)

        return _respond(request, self._judging.answer(experiment, name, read, rules, mutes))

    def _mute(self, request: Request) -> Response:
        check_page(request)
        run = self._read(request, store.TABLES)
        self._muting.change(request, run)
        return _respond(request, {"run": run.name, "muted": len(self._muting.of(run.name)[0])})

    def _read(self, request: Request, tags: Collection[str]) -> Run:
        return self._store.read(self._source(request), parameters.text(request.args, "run"), tags)

    def _muted(self, request: Request) -> Muted:
        run = parameters.text(request.args, "run")
        stored, problem = self._muting.of(run)
        return Muted(stored, parameters.mutes(request.args), self._muting.why_not(request, run), problem)

    def _report(self, request: Request) -> Response:
        name = parameters.text(request.args, "run")
        run = self._store.read(self._source(request), name, frozenset(schema.COLUMNS))
        page = report_page([judged(run, mutes=self._muting.of(name)[0])]).encode("utf-8", "backslashreplace")
        if len(page) > bounds.LARGEST_REPORT:
            raise TooLargeError(f"the report has {len(page):,} bytes; use `tb-activations report` in a shell")
        headers = [("Content-Disposition", f"attachment; filename*=UTF-8''{quote(_file_name(name), safe='')}")]
        return _response(request, page, "text/html", headers=headers)

    def _pictures(self, request: Request) -> Response:
        run = parameters.text(request.args, "run")
        source = self._source(request)
        found = pictures.listing(source, run, self._picture_memory, lambda: self._store.check(source, run))
        return _respond(request, found)

    def _picture(self, request: Request) -> Response:
        content = self._picture_of(request)
        return _response(request, content, img_mime_type_detector.from_bytes(content), expires=PICTURE_SECONDS)

    def _picture_details(self, request: Request) -> Response:
        details = read_details(self._picture_of(request))
        answer = None if details is None else bounds.with_clipped_texts(dataclasses.asdict(details))
        return _respond(request, {"details": answer})

    def _picture_of(self, request: Request) -> bytes:
        run, tag = parameters.text(request.args, "run"), parameters.text(request.args, "tag")
        step = parameters.step(request.args)
        source = self._source(request)
        self._store.check(source, run)
        return pictures.picture(source, run, tag, step)

    def _of_run(self, tags: Collection[str], answer: Callable[[Run, Query], object]) -> Wsgi:
        def respond(request: Request) -> Response:
            return _respond(request, answer(self._read(request, tags), request.args))

        return _application(respond)


def _series(run: Run, query: Query) -> object:
    layer = query.get("layer") or None
    stats = parameters.choices(query, "stats", STEP_COLUMNS if layer is None else LAYER_SERIES)
    return answers.series(run, layer, stats, parameters.max_steps(query))


def _epochs(run: Run, query: Query) -> object:
    return answers.epochs(run, parameters.max_steps(query))


def _units(run: Run, query: Query) -> object:
    return answers.units(run, parameters.text(query, "layer"), parameters.max_steps(query))


def _histograms(run: Run, query: Query) -> object:
    kind = parameters.choice(query, "kind", HISTOGRAM_KINDS)
    return answers.histograms(run, parameters.text(query, "layer"), kind, parameters.max_steps(query))


def _sequences(run: Run, query: Query) -> object:
    return answers.sequences(run, parameters.text(query, "layer"), parameters.max_steps(query))


def _application(answer: Callable[[Request], Response], methods: Sequence[str] = READING) -> Wsgi:
    def respond(request: Request) -> Response:
        try:
            if request.method not in methods:
                raise BadMethodError(request.method, methods)
            return answer(request)
        except ApiError as error:
            return _refusal(request, error)

    application: Wsgi = Request.application(respond)
    return application


def _respond(request: Request, answer: object) -> Response:
    frame = isinstance(answer, Frame)
    content = answer.encode() if isinstance(answer, Frame) else to_json(answer)
    return _response(request, content, "application/octet-stream" if frame else "application/json")


def _refusal(request: Request, error: ApiError) -> Response:
    content = to_json({"error": str(error), "kind": error.kind})
    response: Response = http_util.Respond(
        request, content, "application/json", code=error.status, headers=error.headers
    )
    return response


def _page(request: Request) -> Response:
    content = PAGE.read_bytes() if PAGE.is_file() else _NO_PAGE.encode()
    return _response(request, content, "text/javascript")


def _response(
    request: Request,
    content: bytes,
    content_type: str,
    expires: int = 0,
    headers: Sequence[tuple[str, str]] = (),
) -> Response:
    response: Response = http_util.Respond(request, content, content_type, expires=expires, headers=list(headers))
    return response


def _file_name(run: str) -> str:
    return re.sub(r"[^\w.-]+", "_", run).strip("._")[:LONGEST_FILE_NAME] + "_health.html"
