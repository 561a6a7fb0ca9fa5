"""Measures the monitoring overhead, observed against plain training in one run: `python -m benchmarks`."""
