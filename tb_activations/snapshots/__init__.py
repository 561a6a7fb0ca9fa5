"""Snapshots of a model during training: pictures and statistics of how it processes the same samples."""
