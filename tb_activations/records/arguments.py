"""The error for an invalid argument, the same everywhere."""

from __future__ import annotations

from typing import TypeVar

Error = TypeVar("Error", bound=Exception)


def invalid(name: str, received: str, allowed: str = "", kind: type[Error] = ValueError) -> Error:  # type: ignore[assignment]
    """The error to raise for an argument that is not allowed.

    Args:
        name: of the argument.
        received: what came, as `repr` writes it, or what is wrong with it.
        allowed: what would be allowed, as a noun phrase without a full stop.
        kind: class of the error.
    """
    hint = f" Allowed: {allowed}." if allowed else ""
    return kind(f"Invalid value for argument `{name}`: {received}.{hint}")
