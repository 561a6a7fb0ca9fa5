"""The page is tested through the command that writes it."""

from tests.cli.conftest import call, healthy, hostile, sick

__all__ = ["call", "healthy", "hostile", "sick"]
