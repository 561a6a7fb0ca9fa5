"""Writes an event file like a training until killed: `python -m benchmarks.fuzz_writer SOURCE FOLDER`.

It writes the records of a stored run repeatedly, with increasing steps, through the package's own writer.
"""

from __future__ import annotations

import itertools
import sys
import time

import numpy as np

from tb_activations.events.encoding import Encoder
from tb_activations.events.reader import load
from tb_activations.events.schema import COST_COLUMNS
from tb_activations.recording.folder.claim import claim_folder
from tb_activations.recording.folder.writer import RunWriter

PACE = 0.2
"""Seconds between records."""


def main() -> None:
    source, folder = sys.argv[1:]
    run = load(source)
    encoder, writer = Encoder(), RunWriter(claim_folder(folder), time.monotonic)
    writer.write(encoder.run(run.spec), 0)
    for step, record in enumerate(itertools.cycle(list(run.records()))):
        summary = encoder.record(
            record,
            outcomes=run.outcomes[0],
            rules=run.rules,
            findings=run.findings if step % 10 == 0 else None,
            histograms=run.histogram_table[0] if step % 10 == 0 else None,
            cost=np.ones(len(COST_COLUMNS), np.float32),
        )
        writer.write(summary, step)
        writer.flush()
        time.sleep(PACE)


if __name__ == "__main__":
    main()
