"""The kinds of models by the names of their rows."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.compatibility import own_code, sequences, structures
from benchmarks.compatibility.workload import Workload

KINDS: dict[str, Callable[[], Workload]] = {
    "Sequential": structures.sequential,
    "functional": structures.functional,
    "subclassed": own_code.subclassed,
    "nested three deep": structures.nested,
    "shared layer": structures.shared,
    "dicts in and out": structures.several_inputs_and_outputs,
    "tuples in and out": own_code.tuples,
    "TimeDistributed": sequences.time_distributed,
    "Bidirectional": sequences.bidirectional,
    "RNN cells": sequences.rnn_cells,
    "attention": sequences.attention,
    "embedding": sequences.embedding,
    "separable, transposed": structures.separable_and_transposed,
    "channels_first": structures.channels_first,
    "layer with several outputs": own_code.several_outputs,
    "under tf.cond": own_code.under_a_condition,
    "frozen part": structures.frozen,
    "ragged input": sequences.ragged,
    "masked input": sequences.masked,
    "sequences of any length": sequences.any_length,
    "own train_step": own_code.own_step,
    "losses of layers": own_code.losses_of_layers,
    "LoRA": structures.low_rank_adaptation,
    "separate activations": structures.separate_activations,
    "dense block": structures.dense_block,
    "random layers": structures.random_layers,
    "tf.random in a layer": own_code.draws_of_the_step,
}
