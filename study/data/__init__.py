"""MNIST: obtain a file, verify it, read it. In: a path or nothing. Out: a verified `Dataset` of numpy arrays."""
