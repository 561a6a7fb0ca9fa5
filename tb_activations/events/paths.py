"""The local path that a user means."""

from __future__ import annotations

import os
import re
import urllib.parse
from pathlib import Path

from tb_activations.events.errors import RemotePathError

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/+)(.*)", re.DOTALL)
"""One slash will do: `pathlib` makes one of two."""


def local_path(path: str | os.PathLike[str]) -> Path:
    """`path` with "~" expanded and "file://" taken away.

    Raises:
        RemotePathError: it lies on another machine or in a store such as gs://.
        ValueError: it is empty.
    """
    text = os.fspath(path)
    if not text:
        raise ValueError("the log directory is an empty text; give a folder (. is the current one)")
    address = _ADDRESS.fullmatch(text)
    if address is None or os.path.exists(text):
        return Path(os.path.expanduser(text))
    scheme, slashes, rest = address.groups()
    if scheme.lower() != "file":
        raise RemotePathError(
            f"{scheme}://{rest} is not on this machine, and {scheme}:// cannot be read here. Copy the run into a local "
            f"folder and give that folder, or look at it where it is: tensorboard --logdir {scheme}://{rest}"
        )
    host, _, below = rest.partition("/")
    if len(slashes) == 2 and host != "localhost":
        raise RemotePathError(
            f"{text} names a folder on the machine {host!r}. Give a local folder, such as file:///{rest} or {rest}"
        )
    plain = "/" + (below if len(slashes) == 2 else rest)
    # People paste both: paths as they are, and addresses in which a space is %20.
    return Path(plain if os.path.exists(plain) else urllib.parse.unquote(plain))
