"""Measure, compare and explain what a hidden activation function does to an MLP: the reference study."""
