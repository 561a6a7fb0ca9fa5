"""Error messages of the subcommands."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from tb_activations.report.words import printable


def complain(what: str, why: str) -> None:
    """Prints one line on standard error."""
    Console(stderr=True).print(Text.assemble((f"{what}: ", "bold red"), printable(why)), soft_wrap=True)
