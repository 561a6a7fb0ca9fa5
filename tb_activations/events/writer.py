"""One event file of our own, written by TensorFlow: its framing, its checksums, every filesystem it knows."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
from tensorboard.compat.proto.summary_pb2 import Summary

FLUSH_SECONDS = 5.0


def check_log_dir(log_dir: str) -> None:
    """Raises ValueError, naming `log_dir`, if no event file can be put there because it is not a folder."""
    if not log_dir:
        raise ValueError(f"Invalid value for argument `log_dir`: {log_dir!r}. Allowed is the path of a folder.")
    if tf.io.gfile.exists(log_dir) and not tf.io.gfile.isdir(log_dir):
        raise ValueError(
            f"Invalid value for argument `log_dir`: {log_dir!r} is a file. "
            "Allowed is the path of a folder, which is made if it does not exist."
        )


class RunWriter:
    """Writes summaries into a new event file in `log_dir`; what is written is on disk after at most a few seconds.

    Args:
        log_dir: folder of the run, made if missing.
        clock: seconds; decides when to flush between the flushes that the caller asks for.
    """

    def __init__(self, log_dir: str, clock: Callable[[], float]) -> None:
        # On the host even under a distribution strategy: one writer, whatever scope the caller is in.
        with tf.init_scope(), tf.device("cpu:0"):
            self._writer = tf.summary.create_file_writer(log_dir)
        self._clock = clock
        self._flushed: float | None = None

    def write(self, summary: Summary, step: int) -> None:
        """Appends one event."""
        with self._writer.as_default(step=step), tf.summary.record_if(True):
            tf.summary.experimental.write_raw_pb(summary.SerializeToString(), step=step)
        now = self._clock()
        # The very first event is flushed at once: it is what makes the tab appear.
        if self._flushed is None or now - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        self._writer.flush()
        self._flushed = self._clock()

    def close(self) -> None:
        self._writer.close()
