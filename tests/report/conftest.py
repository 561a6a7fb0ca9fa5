"""The page is tested through the command that writes it."""

from tests.cli.conftest import call, damaged, healthy, hostile, newer, sick

__all__ = ["call", "damaged", "healthy", "hostile", "newer", "sick"]
