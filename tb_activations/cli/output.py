"""Where a command writes its document."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def add_output(parser: argparse.ArgumentParser) -> None:
    """Adds the option `--output FILE`."""
    parser.add_argument("--output", metavar="FILE", type=Path, help="write to this file instead of standard output")


def write(document: str, output: Path | None) -> None:
    """Writes to the file in UTF-8, or to standard output without one.

    A reader that closes the pipe early, as `head` does, is not an error.

    Raises:
        OSError: the file cannot be written.
    """
    if output is not None:
        # Folder names need not be valid Unicode. Within JSON the escapes are valid JSON escapes.
        Path(os.path.expanduser(output)).write_text(document, "utf-8", "backslashreplace")
        return
    try:
        sys.stdout.write(document)
        sys.stdout.flush()
    except BrokenPipeError:
        # Discard what is still buffered.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
