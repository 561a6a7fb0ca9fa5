"""Draws pictures of layers as PNG: feature maps, unit activity and inputs."""
