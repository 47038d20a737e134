"""Predict by mean-field theory what a network does at initialisation, from its activation function alone.

The input is an entry of `study.activations.REGISTRY`. The results are critical initialisations, depth scales, and the
norms of signals and gradients in every layer. fixed_points.py defines the symbols q, chi, sigma_w and sigma_b. This
package may import `study.activations` and `study.constants`.
"""
