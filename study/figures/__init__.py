"""Draw DataFrames as matplotlib Figures.

The functions below take tables and a Style, and return a Drawing: a figure that is drawn when its file is wanted. They
read and save nothing; `encoding` makes the bytes of a file. This package imports `study.analysis` and
`study.constants`, and nothing that runs or reads records.
"""

from study.figures import accuracy, cost, norms, responses, theory
from study.figures import answer as first_screens
from study.figures.drawing import deferred

accuracy_against_depth = deferred(responses.accuracy_against_depth)
accuracy_against_rate = deferred(responses.accuracy_against_rate)
accuracy_by_output = deferred(accuracy.accuracy_by_output)
answer = deferred(first_screens.answer)
activation_curves = deferred(theory.activation_curves)
bench = deferred(cost.bench)
born_dead = deferred(responses.born_dead)
cause_and_effect = deferred(first_screens.cause_and_effect)
costs = deferred(cost.costs)
critical_lines = deferred(theory.critical_lines)
dead_units_against_rate = deferred(responses.dead_units_against_rate)
digits = deferred(first_screens.digits)
error_heat_map = deferred(norms.error_heat_map)
errors_beside_theory = deferred(theory.errors_beside_theory)
gradient_norms_by_layer = deferred(norms.gradient_norms_by_layer)
gradient_norms_over_training = deferred(norms.gradient_norms_over_training)
growth = deferred(cost.growth)
noise_response = deferred(responses.noise_response)
norms_side_by_side = deferred(norms.norms_side_by_side)
remedies = deferred(accuracy.remedies)
similarity_by_layer = deferred(theory.similarity_by_layer)
test_accuracy = deferred(accuracy.test_accuracy)
trainable_depth = deferred(theory.trainable_depth)
training_curves = deferred(responses.training_curves)
tuned_beside_untuned = deferred(accuracy.tuned_beside_untuned)
unit_measures = deferred(norms.unit_measures)
