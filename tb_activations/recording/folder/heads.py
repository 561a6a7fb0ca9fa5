"""What the files of a run repeat, so that each can be read without those before."""

from __future__ import annotations

from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata

from tb_activations.events.schema import RUN


class Heads:
    """Remembers the description of a run and the metadata of its tags from file to file.

    The first file has them from its encoder.
    """

    def __init__(self) -> None:
        self._run: Summary | None = None
        self._metadata: dict[str, SummaryMetadata] = {}
        self._present: set[str] = set()

    def begin(self) -> Summary | None:
        """The description to begin another file with; None before there is one."""
        self._present = set()
        return None if self._run is None else self.completed(self._run)

    def completed(self, summary: Summary) -> Summary:
        """The summary, in which the first value of each tag in a file has the tag's metadata."""
        whole = Summary()
        whole.CopyFrom(summary)
        for value in whole.value:
            if value.HasField("metadata"):
                self._metadata[value.tag] = value.metadata
            elif value.tag not in self._present and value.tag in self._metadata:
                value.metadata.CopyFrom(self._metadata[value.tag])
            self._present.add(value.tag)
            if value.tag == RUN:
                self._run = whole
        return whole
