"""Small trainings whose health is known."""

from benchmarks.cases import healthy_plain, healthy_regimes, healthy_structures, sick_gradients, sick_units, sick_values
from benchmarks.cases.base import CASES, RULES, Case
from benchmarks.cases.outside import (
    healthy_audio,
    healthy_audio_waves,
    healthy_fine_tuning,
    healthy_fine_tuning_more,
    healthy_generative,
    healthy_generative_games,
    healthy_graphs,
    healthy_reinforcement_learning,
    healthy_reinforcement_models,
    healthy_tabular,
    healthy_text,
    healthy_text_sequences,
    healthy_time_series,
    healthy_vision,
    healthy_vision_tasks,
)

SEED_CASES = (
    "relu_plain",
    "relu_sparse_l1",
    "tanh_deep",
    "selu_lecun",
    "leaky_momentum",
    "converged_table",
    "iris_small",
    "residual_zero_branches",
    "loss_divided",
    "gradient_accumulation",
)
"""Healthy cases that are cheap to train, for many seeds."""

__all__ = [
    "CASES",
    "RULES",
    "SEED_CASES",
    "Case",
    "healthy_audio",
    "healthy_audio_waves",
    "healthy_fine_tuning",
    "healthy_fine_tuning_more",
    "healthy_generative",
    "healthy_generative_games",
    "healthy_graphs",
    "healthy_plain",
    "healthy_regimes",
    "healthy_reinforcement_learning",
    "healthy_reinforcement_models",
    "healthy_structures",
    "healthy_tabular",
    "healthy_text",
    "healthy_text_sequences",
    "healthy_time_series",
    "healthy_vision",
    "healthy_vision_tasks",
    "sick_gradients",
    "sick_units",
    "sick_values",
]
