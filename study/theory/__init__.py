"""Predict by mean-field theory what a network does at initialisation, from its activation's function alone.

In: an entry of the registry. Out: critical points, depth scales, and norms in every layer. It may import
`study.activations` and `study.constants`.
"""
