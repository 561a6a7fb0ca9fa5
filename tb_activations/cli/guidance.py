"""Examples and exit statuses at the end of a command's help."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence


def guide(parser: argparse.ArgumentParser, *, examples: Sequence[str], statuses: Mapping[int, str]) -> None:
    """Puts examples and the meaning of each exit status below the options of a command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    heading = "example:" if len(examples) == 1 else "examples:"
    lines = [heading, *(f"  {example}" for example in examples), "", "exit status:"]
    parser.epilog = "\n".join([*lines, *(f"  {status}  {meaning}" for status, meaning in statuses.items())])
