"""Trains every kind of model in every mode with and without the callback: `python -m benchmarks.compatibility`."""
