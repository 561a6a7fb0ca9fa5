"""Compares one run with another."""
