"""Marks tests that repeat for further kinds what a quicker one shows; `make thorough` runs them as well."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def mostly(names: Iterable[Any], quick: Collection[Any]) -> list[Any]:
    """The names as parameters of a test; only those in `quick` are part of `make test`.

    Raises:
        ValueError: `quick` has something that is not among the names.
    """
    names = list(names)
    unknown = [name for name in quick if name not in names]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not among {names}")
    return [pytest.param(name, marks=() if name in quick else pytest.mark.thorough) for name in names]
