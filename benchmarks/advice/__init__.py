"""Applies the advice of findings to the sick cases by script, and trains again."""
