"""Imported by TensorBoard on startup.

An exception here would stop `tensorboard` for everyone who has this package installed. So this module imports only the
base class and does nothing that can fail.
"""

from __future__ import annotations

import argparse

from tensorboard.plugins import base_plugin

PLUGIN_NAME = "layer_health"
SAMPLES = 5000
"""Points per tag that TensorBoard keeps. Its default for unknown tags is 10 or 100, as a reservoir sample."""


class LayerHealthLoader(base_plugin.TBLoader):
    """Loads the Layer Health tab."""

    def fix_flags(self, flags: argparse.Namespace) -> None:
        """Request more points per tag unless the user chose a number."""
        samples = getattr(flags, "samples_per_plugin", None)
        if isinstance(samples, dict):
            samples.setdefault(PLUGIN_NAME, SAMPLES)

    def load(self, context: base_plugin.TBContext) -> base_plugin.TBPlugin:
        """The plugin; TensorBoard logs an exception and continues without the tab."""
        from tb_activations.plugin.plugin import LayerHealthPlugin

        return LayerHealthPlugin(context)
