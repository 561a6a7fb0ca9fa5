from __future__ import annotations

import pytest

from tb_activations.taps.gist import LONGEST, gist

RUNTIME = """Graph execution error:

Detected at node hidden/PyFunc defined at (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main

  File "layer.py", line 130, in call

MemoryError: no room for statistics
Traceback (most recent call last):

  File "script_ops.py", line 269, in __call__
    ret = func(*args)

MemoryError: no room for statistics


\t [[{{node hidden/PyFunc}}]]
Hint: If you want to see a list of allocated tensors when OOM happens, add an option.
 [Op:__inference_on_batch_2901]"""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("no room"), "ValueError: no room"),
        (ValueError("first line\nsecond line"), "ValueError: first line"),
        (ValueError(""), "ValueError: "),
        (RuntimeError("\n  indented   only\n"), "RuntimeError: indented only"),
        (ValueError("Exception encountered when calling A.call().\n\n\x1b[1m{{node a}} bad\x1b[0m"), "ValueError: bad"),
        (RuntimeError(RUNTIME), "RuntimeError: MemoryError: no room for statistics"),
    ],
)
def test_an_error_becomes_one_line(error: Exception, expected: str) -> None:
    assert gist(error) == expected


def test_a_long_message_is_cut() -> None:
    assert len(gist(ValueError("x" * 1000))) == LONGEST
