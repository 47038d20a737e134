"""Obtain MNIST from a file or the network, verify it, and read it as a `Dataset` of numpy arrays."""
