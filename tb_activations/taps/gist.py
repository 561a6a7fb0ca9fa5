"""One-line summaries of errors."""

from __future__ import annotations

import re

LONGEST = 300
_STYLE = re.compile(r"\x1b\[\d*m|\{\{.*?\}\} ?")
"""Keras' bold escape codes, and node names."""
_NOISE = (
    "Exception encountered when calling",
    "Graph execution error",
    "Detected at node",
    "Traceback (",
    "Hint: ",
    "<stack traces",
)


def gist(error: BaseException) -> str:
    """Class and message of an error, at most `LONGEST` characters.

    Of a long message, such as one from TensorFlow's runtime, only the first informative line is kept.
    """
    lines = [line for line in _STYLE.sub("", str(error)).splitlines() if line.strip()]
    # TensorFlow indents the stack of calls that built the graph.
    telling = [line for line in lines if not line[0].isspace() and not line.startswith(_NOISE)]
    message = " ".join((telling or lines or [""])[0].split())
    return f"{type(error).__name__}: {message}"[:LONGEST]
