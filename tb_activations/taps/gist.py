"""What an error says, in one line."""

from __future__ import annotations

import re

LONGEST = 300
_STYLE = re.compile(r"\x1b\[\d*m|\{\{.*?\}\} ?")
"""Bold print of Keras, and the names of nodes."""
_NOISE = (
    "Exception encountered when calling",
    "Graph execution error",
    "Detected at node",
    "Traceback (",
    "Hint: ",
    "<stack traces",
)


def gist(error: BaseException) -> str:
    """Class and message of an error; of one that TensorFlow's runtime raised without the way there and back.

    Only the first line that tells something, at most `LONGEST` characters.
    """
    lines = [line for line in _STYLE.sub("", str(error)).splitlines() if line.strip()]
    # Where the graph was built and how Python got there is indented.
    telling = [line for line in lines if not line[0].isspace() and not line.startswith(_NOISE)]
    message = " ".join((telling or lines or [""])[0].split())
    return f"{type(error).__name__}: {message}"[:LONGEST]
