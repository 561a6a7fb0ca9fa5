"""Stores mutes next to the runs, if the server may write there; `docs/http_api.md` explains when it may."""

from __future__ import annotations

import ipaddress
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tensorboard.plugins import base_plugin
from werkzeug.wrappers import Request

from tb_activations.events.errors import RemotePathError
from tb_activations.events.mutes_file import LONGEST_NAME, LONGEST_NOTE, MutesError, read_mutes, write_mutes
from tb_activations.events.paths import local_path
from tb_activations.events.run import Run
from tb_activations.plugin.errors import ApiError, BadParameterError, ErrorKind
from tb_activations.records.mute import Mute, Mutes

LARGEST_BODY = 2**18
"""Bytes of a request."""
MOST_AT_ONCE = 1000
"""Findings per request."""
JSON = "application/json"
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip")
"""What a proxy adds for a client on another machine."""


class Muting:
    """Reads and changes the mutes of runs.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, context: base_plugin.TBContext, clock: Callable[[], float] = time.time) -> None:
        self._logdir = _logdir(context)
        self._is_shared = _is_shared(context.flags)
        self._clock = clock
        # Each change reads the file, then replaces it.
        self._changing = threading.Lock()

    def of(self, run: str) -> tuple[Mutes, str]:
        """The mutes stored next to the run, and why they cannot be read, "" if they can."""
        folder = self._folder(run)
        if folder is None:
            return {}, ""
        try:
            return read_mutes(folder), ""
        except (OSError, MutesError) as error:
            return {}, str(error)

    def why_not(self, request: Request, run: str) -> str:
        """Why the mutes of a run are kept in the browser of this client; "" if they are stored next to the run."""
        if self._is_shared:
            return "TensorBoard serves other machines"
        if not _is_this_machine(request):
            return "the page was not opened as localhost"
        folder = self._folder(run)
        if folder is None:
            return "the run is not in a local log directory"
        if not os.access(folder, os.W_OK | os.X_OK):
            return "the folder of the run is read-only"
        return ""

    def change(self, request: Request, run: Run) -> None:
        """Mutes findings, or unmutes them, as the body of the request tells.

        Raises:
            ApiError: the request is malformed or comes from another page, or the folder cannot be written to.
        """
        asked, note = _body(request)
        reason = self.why_not(request, run.name)
        folder = self._folder(run.name)
        if reason or folder is None:
            raise ApiError(ErrorKind.READ_ONLY, f"cannot write next to run {run.name!r}: {reason}")
        with self._changing:
            try:
                mutes = dict(read_mutes(folder))
                for key in asked:
                    mutes.pop(key, None)
                    if note is not None:
                        mutes[key] = self._mute(run, key, note)
                write_mutes(folder, mutes)
            except MutesError as error:
                raise ApiError(
                    ErrorKind.DAMAGED_RUN, f"cannot change the mutes of run {run.name!r}: {error}"
                ) from error
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise ApiError(ErrorKind.READ_ONLY, f"cannot write next to run {run.name!r}: {reason}") from error

    def _mute(self, run: Run, key: tuple[str, str], note: str) -> Mute:
        for finding in run.findings:
            if (finding.rule, finding.layer) == key and finding.closed_step is None:
                return Mute(*key, finding.severity, note, self._clock())
        text = f"no open finding of rule {key[0]!r:.100} in layer {key[1]!r:.100} of run {run.name!r}"
        raise ApiError(ErrorKind.UNKNOWN_FINDING, text)

    def _folder(self, run: str) -> Path | None:
        """The folder of a run that TensorBoard lists; None if it is not below the log directory, links resolved."""
        if self._logdir is None:
            return None
        try:
            top = self._logdir.resolve()
            folder = (top / run).resolve()
            is_inside = folder.is_dir() and (folder == top or top in folder.parents)
        except (OSError, ValueError, RuntimeError):
            return None
        return folder if is_inside else None


def check_page(request: Request) -> None:
    """Refuses a request that another page, or a form, could send in the name of the user.

    A browser sends this content type to another origin only if that origin allows it first, which TensorBoard does not.

    Raises:
        ApiError: the content type or the origin is not that of the tab.
    """
    if request.mimetype != JSON:
        raise ApiError(ErrorKind.FORBIDDEN, f"Content-Type must be {JSON}, got {request.mimetype!r:.100}")
    origin = request.headers.get("Origin", "")
    is_own = origin in (f"http://{request.host}", f"https://{request.host}")
    if not is_own or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise ApiError(ErrorKind.FORBIDDEN, f"Origin must be the page of this server, got {origin!r:.200}")


def _body(request: Request) -> tuple[list[tuple[str, str]], str | None]:
    """The findings by rule and layer, and the note; None unmutes."""
    allowed = f"JSON of at most {LARGEST_BODY} bytes"
    length = request.content_length
    if length is None or length > LARGEST_BODY:
        raise BadParameterError("body", str(length), allowed)
    try:
        body = json.loads(request.stream.read(LARGEST_BODY))
    except (ValueError, RecursionError) as error:
        raise BadParameterError("body", "other content", allowed) from error
    if not isinstance(body, dict) or set(body) != {"findings", "note"}:
        raise BadParameterError("body", "other members", 'an object with "findings" and "note"')
    note, listed = body["note"], body["findings"]
    if note is not None and not (isinstance(note, str) and len(note) <= LONGEST_NOTE):
        raise BadParameterError("note", "another value", f"null or a text of at most {LONGEST_NOTE} characters")
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_AT_ONCE or not all(map(_is_key, listed)):
        raise BadParameterError("findings", "another value", f"1 to {MOST_AT_ONCE} objects with rule and layer")
    return [(each["rule"], each["layer"]) for each in listed], note


def _is_key(entry: Any) -> bool:
    if not isinstance(entry, dict) or set(entry) != {"rule", "layer"}:
        return False
    return all(isinstance(text, str) and len(text) <= LONGEST_NAME for text in entry.values())


def _logdir(context: base_plugin.TBContext) -> Path | None:
    try:
        return local_path(context.logdir) if context.logdir else None
    except RemotePathError:
        return None


def _is_shared(flags: Any) -> bool:
    """Whether TensorBoard was started for other machines too."""
    host = getattr(flags, "host", None)
    return bool(getattr(flags, "bind_all", False)) or (host is not None and not _is_loopback(host))


def _is_this_machine(request: Request) -> bool:
    """Whether the page was opened on this machine. A name that an attacker points at this machine is not localhost."""
    if any(name in request.headers for name in FORWARDED):
        return False
    try:
        name = urlsplit(f"//{request.host}").hostname
    except ValueError:
        return False
    return _is_loopback(name or "") and _is_loopback(request.remote_addr or "")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
