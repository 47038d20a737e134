"""Draw DataFrames as matplotlib Figures.

The functions below take tables and a Style, and return a new Figure. They read and save nothing; `encoding` makes the
bytes of a file. This package imports `study.analysis` and `study.constants`, and nothing that runs or reads records.
"""

from study.figures.benchmark import bench, growth
from study.figures.claims import born_dead
from study.figures.cost import costs
from study.figures.criticality import critical_lines, trainable_depth
from study.figures.depth import (
    accuracy_against_depth,
    error_heat_map,
    errors_beside_theory,
    norms_side_by_side,
    remedies,
)
from study.figures.noise import noise_response
from study.figures.outputs import accuracy_by_output
from study.figures.rates import accuracy_against_rate, tuned_beside_untuned
from study.figures.training import (
    activation_curves,
    gradient_norms_by_layer,
    gradient_norms_over_training,
    test_accuracy,
    training_curves,
    unit_measures,
)

__all__ = [
    "accuracy_against_depth",
    "accuracy_against_rate",
    "accuracy_by_output",
    "activation_curves",
    "bench",
    "born_dead",
    "costs",
    "critical_lines",
    "error_heat_map",
    "errors_beside_theory",
    "gradient_norms_by_layer",
    "gradient_norms_over_training",
    "growth",
    "noise_response",
    "norms_side_by_side",
    "remedies",
    "test_accuracy",
    "trainable_depth",
    "training_curves",
    "tuned_beside_untuned",
    "unit_measures",
]
