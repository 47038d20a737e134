"""Obtain MNIST, verify it and read it, from a path or the network, as a `Dataset` of numpy arrays."""
