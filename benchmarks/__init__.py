"""What observing costs, measured beside plain training in one run: `python -m benchmarks`."""
