"""The releases that setup.py admits, proven."""
