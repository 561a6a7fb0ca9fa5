"""Activation functions that are applied outside of layers: found, recognized, attributed to the layer before them."""
