"""Inspect any Keras model on demand: what its layers output, which gradients reach them, what their units respond to.

Taps sit on the layers only while the model is called, so this works for subclassed, nested and shared layers. The
model's weights, moving averages, random seeds and metrics are restored afterwards.

Every function takes the model first, then its inputs `x`; all other arguments are keywords with one meaning throughout:
`layers` (which layers), `layer` and `unit` (one of them), `target` (the output unit to explain), `y` (the expected
outputs), `training`, `batch_size`.
"""

from tb_activations.probe.ascent import maximize_activation
from tb_activations.probe.attribution import saliency
from tb_activations.probe.climbing import MaximizedInput
from tb_activations.probe.layer_gradients import gradients
from tb_activations.probe.layer_outputs import activations, iter_activations
from tb_activations.probe.modes import ModeDifference, compare_modes
from tb_activations.probe.reconstruction import Reconstruction, reconstruction_error

__all__ = [
    "MaximizedInput",
    "ModeDifference",
    "Reconstruction",
    "activations",
    "compare_modes",
    "gradients",
    "iter_activations",
    "maximize_activation",
    "reconstruction_error",
    "saliency",
]
