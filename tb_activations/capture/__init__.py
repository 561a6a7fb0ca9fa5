"""Figures of a running model: taps, the observed step, and `capture` to see layer outputs live."""

from tb_activations.capture.live import Seen, capture

__all__ = ["Seen", "capture"]
