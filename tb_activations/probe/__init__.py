"""Looking into any Keras model on demand: what its layers put out, what reaches them, what they look for.

Everything rests on taps that are on a layer only while the model is being called, so it works for subclassed, nested
and shared layers, and leaves the model's weights, moving averages, random seeds and metrics as they were.
"""

from tb_activations.probe.ascent import Maximised, maximize_activation
from tb_activations.probe.attribution import saliency
from tb_activations.probe.layer_gradients import gradients
from tb_activations.probe.layer_outputs import activations, iter_activations
from tb_activations.probe.modes import ModeDifference, compare_modes
from tb_activations.probe.reconstruction import ReconstructionError, reconstruction_error

__all__ = [
    "Maximised",
    "ModeDifference",
    "ReconstructionError",
    "activations",
    "compare_modes",
    "gradients",
    "iter_activations",
    "maximize_activation",
    "reconstruction_error",
    "saliency",
]
