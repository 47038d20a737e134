"""MNIST: locate, verify, read. In: a path or nothing. Out: a verified `Dataset` of numpy arrays."""
