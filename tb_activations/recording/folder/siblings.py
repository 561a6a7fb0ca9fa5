"""Sibling folders for runs that cannot go into the requested folder: `run` -> `run-2`, `run-3`, ..."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tb_activations.recording.folder.lock import is_remote

LARGEST_NUMBER = 99_999
"""A larger number after a name is not a sibling's, but a date or similar."""
_ATTEMPTS = 100
"""Numbers to try after the largest existing one: another process may take each of them first."""


class Siblings:
    """The siblings of a folder, without the folder itself.

    A folder that has no place next to it, because it is the root of a filesystem or of a bucket, or because nothing can
    be made there, has them inside.

    Args:
        folder: path without a slash at its end, absolute or with a scheme.
        listed: names in a folder; those of folders may end with a slash.
        is_room: whether folders can be made next to this one.
    """

    def __init__(self, folder: str, listed: Callable[[str], list[str]], is_room: bool = True) -> None:
        parent, name = _split(folder)
        is_inside = not name or not is_room
        self._prefix = f"{folder.rstrip('/')}/run-" if is_inside else f"{parent}{name}-"
        own = re.compile(("run-" if is_inside else f"{re.escape(name)}-") + r"([1-9]\d{0,4})/?")
        found = [own.fullmatch(one) for one in listed(folder if is_inside else parent)]
        self._numbers = sorted({int(match[1]) for match in found if match and int(match[1]) > 1}, reverse=True)

    def newest(self, count: int) -> list[str]:
        """At most this many existing siblings, whatever is in them, newest first."""
        return [self._path(number) for number in self._numbers[:count]]

    def free(self) -> Iterator[str]:
        """Paths that do not exist yet, best first; at most a hundred."""
        first = max([1, *self._numbers]) + 1
        return (self._path(number) for number in range(first, first + _ATTEMPTS))

    def _path(self, number: int) -> str:
        return f"{self._prefix}{number}"


def _split(folder: str) -> tuple[str, str]:
    """The parent folder with a trailing slash, and the last name; no name for the root of a filesystem or bucket."""
    scheme, separator, path = folder.partition("://") if is_remote(folder) else ("", "", folder)
    above, slash, name = path.rpartition("/")
    if not slash:
        return f"{folder}/", ""
    return f"{scheme}{separator}{above}{slash}", name
