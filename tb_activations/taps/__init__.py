"""Layers watched while a model runs: the observed step, its statistics, when it is due, and `capture`."""
