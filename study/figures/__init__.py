"""Draw DataFrames as matplotlib Figures.

Each function below takes tables, and most take a `style.Style`. It returns a `drawing.Drawing`, which holds the
arguments and makes the Figure only when its `draw` is called. `drawing.encode` turns a Figure into the bytes of a file.
The functions are defined and documented in `lines`, `layers`, `rows` and `maps`, which share `marks`, `naming`, `axes`
and `style`. The package reads and writes no files. It imports `study.analysis` and `study.constants`, and nothing that
runs or reads records.
"""

from study.figures import layers, lines, maps, rows
from study.figures.drawing import deferred

accuracy_against_depth = deferred(lines.accuracy_against_depth)
accuracy_against_rate = deferred(lines.accuracy_against_rate)
accuracy_by_output = deferred(rows.accuracy_by_output)
activation_curves = deferred(lines.activation_curves)
answer = deferred(rows.answer)
bench = deferred(rows.bench)
born_dead = deferred(lines.born_dead)
cause_and_effect = deferred(lines.cause_and_effect)
costs = deferred(rows.costs)
critical_lines = deferred(maps.critical_lines)
dead_units_against_rate = deferred(lines.dead_units_against_rate)
digits = deferred(maps.digits)
error_heat_map = deferred(maps.error_heat_map)
errors_beside_theory = deferred(layers.errors_beside_theory)
gradient_norms_by_layer = deferred(layers.gradient_norms_by_layer)
gradient_norms_over_training = deferred(layers.gradient_norms_over_training)
growth = deferred(lines.growth)
ladder = deferred(rows.ladder)
noise_response = deferred(lines.noise_response)
norms_side_by_side = deferred(layers.norms_side_by_side)
remedies = deferred(rows.remedies)
similarity_by_layer = deferred(layers.similarity_by_layer)
test_accuracy = deferred(rows.test_accuracy)
trainable_depth = deferred(maps.trainable_depth)
training_curves = deferred(lines.training_curves)
tuned_beside_untuned = deferred(rows.tuned_beside_untuned)
unit_measures = deferred(layers.unit_measures)
wrong_digits = deferred(maps.wrong_digits)
