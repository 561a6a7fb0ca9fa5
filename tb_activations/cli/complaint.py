"""How a subcommand says that it cannot do what it was asked for."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from tb_activations.report.words import printable


def complain(what: str, why: str) -> None:
    """One line on the standard error output."""
    Console(stderr=True).print(Text.assemble((f"{what}: ", "bold red"), printable(why)), soft_wrap=True)
