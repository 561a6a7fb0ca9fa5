"""The values of a run as tables for other programs."""
