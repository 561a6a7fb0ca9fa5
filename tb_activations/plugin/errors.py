"""Errors that a request is answered with: a JSON body with a kind for programs and a sentence for people."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from tb_activations.events.errors import SchemaError, UnreadableRunError
from tb_activations.plugin.bounds import clipped

LONGEST_REASON = 1000
"""Characters of why a run cannot be read; the text may quote the file."""


class ErrorKind(enum.StrEnum):
    """Machine id of an error. The client acts on it; the status code alone is ambiguous."""

    BAD_PARAMETER = "bad_parameter"
    FORBIDDEN = "forbidden"
    READ_ONLY = "read_only"
    UNKNOWN_RUN = "unknown_run"
    UNKNOWN_LAYER = "unknown_layer"
    UNKNOWN_FINDING = "unknown_finding"
    UNTRACKED_UNITS = "untracked_units"
    UNKNOWN_PICTURE = "unknown_picture"
    BAD_METHOD = "bad_method"
    NEWER_SCHEMA = "newer_schema"
    SUPERSEDED = "superseded"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    DAMAGED_RUN = "damaged_run"


STATUSES = {
    ErrorKind.BAD_PARAMETER: 400,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.READ_ONLY: 403,
    ErrorKind.UNKNOWN_RUN: 404,
    ErrorKind.UNKNOWN_LAYER: 404,
    ErrorKind.UNKNOWN_FINDING: 404,
    ErrorKind.UNTRACKED_UNITS: 404,
    ErrorKind.UNKNOWN_PICTURE: 404,
    ErrorKind.BAD_METHOD: 405,
    ErrorKind.NEWER_SCHEMA: 409,
    ErrorKind.SUPERSEDED: 409,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.TOO_SLOW: 413,
    ErrorKind.DAMAGED_RUN: 422,
}


class ApiError(Exception):
    """A request that cannot be answered.

    Attributes:
        kind: its machine id.
        status: the HTTP status code.
        headers: to send with the answer.
    """

    def __init__(self, kind: ErrorKind, message: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(printable(message))
        self.kind = kind
        self.status = STATUSES[kind]
        self.headers = list(headers)


class BadParameterError(ApiError):
    """A parameter of the request is missing or malformed."""

    def __init__(self, name: str, got: str | None, allowed: str) -> None:
        came = "it is missing" if got is None else f"got {got!r:.200}"
        super().__init__(ErrorKind.BAD_PARAMETER, f"parameter {name!r} must be {allowed}, {came}")


class BadMethodError(ApiError):
    """The route has other methods."""

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        text = f"method must be {allowed[0]}, got {method!r:.40}"
        super().__init__(ErrorKind.BAD_METHOD, text, [("Allow", ", ".join(allowed))])


class TooLargeError(ApiError):
    """The requested data exceed what the server sends."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorKind.TOO_LARGE, message)


class CannotReadError(ApiError):
    """The run exists, but this server cannot read it.

    Attributes:
        reason: why, without the name of the run, in at most `LONGEST_REASON` characters.
    """

    def __init__(self, run: str, kind: ErrorKind, reason: str) -> None:
        self.reason = printable(clipped(reason, LONGEST_REASON))
        super().__init__(kind, f"cannot read run {run!r}: {self.reason}")


class OversizedRunError(UnreadableRunError):
    """A run holds more than the server reads; `kind_of` distinguishes it from damage."""


def kind_of(error: UnreadableRunError) -> ErrorKind:
    """Why a run is unreadable: written by a newer version, too large, or damaged."""
    match error:
        case SchemaError():
            return ErrorKind.NEWER_SCHEMA
        case OversizedRunError():
            return ErrorKind.TOO_LARGE
        case _:
            return ErrorKind.DAMAGED_RUN


def printable(text: str) -> str:
    """`text` with characters that UTF-8 cannot hold, such as lone surrogates, escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
