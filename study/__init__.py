"""The reference study of activation functions: measure, compare and explain what a hidden activation does to an MLP."""
