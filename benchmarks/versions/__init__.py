"""Tests the releases that setup.py admits."""
