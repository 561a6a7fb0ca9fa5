"""Resolves the log directory that a user gave to a local path."""

from __future__ import annotations

import os
import re
import urllib.parse
from pathlib import Path

from tb_activations.events.errors import RemotePathError

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/+)(.*)", re.DOTALL)
"""One slash is enough: `pathlib` collapses two into one."""


def local_path(path: str | os.PathLike[str]) -> Path:
    """`path` with "~" expanded and "file://" removed.

    Raises:
        RemotePathError: the path is on another machine or in a store such as gs://.
        ValueError: the path is empty.
    """
    text = os.fspath(path)
    if not text:
        raise ValueError("the log directory is empty; give a folder (. is the current one)")
    address = _ADDRESS.fullmatch(text)
    if address is None or os.path.exists(text):
        return Path(os.path.expanduser(text))
    scheme, slashes, rest = address.groups()
    if scheme.lower() != "file":
        raise RemotePathError(
            f"{scheme}://{rest} is not a local folder, and {scheme}:// cannot be read here. Copy the run to a local "
            f"folder and give that folder, or view it in place: tensorboard --logdir {scheme}://{rest}"
        )
    host, _, below = rest.partition("/")
    if len(slashes) == 2 and host != "localhost":
        raise RemotePathError(
            f"{text} names a folder on the machine {host!r}. Give a local folder, such as file:///{rest} or {rest}"
        )
    plain = "/" + (below if len(slashes) == 2 else rest)
    # Users paste both plain paths and URLs in which a space is %20.
    return Path(plain if os.path.exists(plain) else urllib.parse.unquote(plain))
