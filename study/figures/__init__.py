"""Draw DataFrames as matplotlib Figures.

The functions below take tables and a Style, and return a new Figure. They read and save nothing; `encoding` makes the
bytes of a file. This package imports `study.analysis` and `study.constants`, and nothing that runs or reads records.
"""

from study.figures.accuracy import accuracy_by_output, remedies, test_accuracy, tuned_beside_untuned
from study.figures.cost import bench, costs, growth
from study.figures.norms import (
    error_heat_map,
    gradient_norms_by_layer,
    gradient_norms_over_training,
    norms_side_by_side,
    unit_measures,
)
from study.figures.responses import (
    accuracy_against_depth,
    accuracy_against_rate,
    born_dead,
    noise_response,
    training_curves,
)
from study.figures.theory import activation_curves, critical_lines, errors_beside_theory, trainable_depth

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
