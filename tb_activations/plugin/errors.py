"""What a client is told when it cannot have what it asked for."""

from __future__ import annotations

from tensorboard import errors

from tb_activations.plugin.bounds import clipped

LONGEST_REASON = 1000
"""Characters of why a run cannot be read; what a file holds may be quoted in it."""


class BadParameterError(errors.InvalidArgumentError):
    """A missing or malformed parameter of the request (400)."""

    def __init__(self, name: str, got: str | None, allowed: str) -> None:
        came = "it is missing" if got is None else f"got {got!r:.200}"
        super().__init__(printable(f"parameter {name!r} must be {allowed}, {came}"))


class UnknownError(errors.NotFoundError):
    """A run or layer that is not there (404)."""

    def __init__(self, details: str) -> None:
        super().__init__(printable(details))


class CannotReadError(errors.PublicError):
    """A run that this version cannot read (409)."""

    http_code = 409

    def __init__(self, run: str, reason: str) -> None:
        self.reason = printable(clipped(reason, LONGEST_REASON))
        super().__init__(printable(f"Run {run!r} cannot be read: {self.reason}"))


class TooLargeError(errors.PublicError):
    """What was asked for is larger than what is served (409)."""

    http_code = 409

    def __init__(self, details: str) -> None:
        super().__init__(printable(details))


class MethodError(errors.PublicError):
    """Another method than GET (405)."""

    http_code = 405

    def __init__(self, method: str) -> None:
        super().__init__(printable(f"Method must be GET, got {method!r:.40}"))
        self.headers.append(("Allow", "GET, HEAD"))


def printable(text: str) -> str:
    """`text` with what UTF-8 cannot hold, such as lone surrogates, escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
