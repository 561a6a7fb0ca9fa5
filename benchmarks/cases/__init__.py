"""Small trainings whose health is known."""

from benchmarks.cases import healthy_plain, healthy_regimes, healthy_structures, sick_gradients, sick_units, sick_values
from benchmarks.cases.base import CASES, RULES, Case

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
    "healthy_plain",
    "healthy_regimes",
    "healthy_structures",
    "sick_gradients",
    "sick_units",
    "sick_values",
]
