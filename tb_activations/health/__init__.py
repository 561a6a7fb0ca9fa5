"""Judges recorded values: histories, rules, findings and their root causes."""
