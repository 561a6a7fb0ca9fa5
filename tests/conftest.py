"""Settings that hold for every test."""

from __future__ import annotations

import os

# TensorFlow's start-up messages would bury what a failing test prints.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
