"""The folder of a run: chosen, claimed, written."""
