"""The shell commands of the README and how `test_install.py` runs each of them."""

from __future__ import annotations

COMMANDS = {
    'pip install "tb-activations[tensorflow]"': "the wheel with this extra is installed and trains",
    'pip install "tb-activations[demo]"': "the same, with scikit-learn",
    'pip install ".[tensorflow]"': "the wheel is built from the clone",
    "tensorboard --logdir logs": "serves the tab",
    "tb-activations demo": "trains and serves",
    "tb-activations report logs": "reports the findings, exit status 0",
    "tb-activations report logs --format html --output report.html": "the same as a page",
    "tb-activations check logs --fail-on problem": "a sick run, exit status 1; the demo's runs 0 and 1",
    "tb-activations diff logs/run-1 logs/run-1": "equal runs, exit status 0",
}
