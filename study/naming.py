"""Names by which processes find each other's compiled programs.

TensorFlow numbers what it traces in the order of a process's life, and XLA's cache of compiled programs knows a program
by its names: two processes that came to the same network by different ways would both compile it.
"""

import contextlib
import hashlib
import itertools
from collections.abc import Iterator

import tensorflow as tf
from tensorflow.python.framework import ops  # has no public counterpart; its numbers go into names and nowhere else

_NUMBERS: dict[str, Iterator[int]] = {}  # by what is traced; they go on, so that no name is given twice in a process


@contextlib.contextmanager
def numbered_by(what: str) -> Iterator[None]:
    """Number what TensorFlow traces within the block by `what` it is, the same in every process."""
    tf.compat.v1.get_default_graph()  # takes a number when it is first asked for
    if what not in _NUMBERS:
        first = int.from_bytes(hashlib.sha256(what.encode()).digest()[:7], "big")
        _NUMBERS[what] = itertools.count(first)
    before = ops.uid
    ops.uid = _NUMBERS[what].__next__
    try:
        yield
    finally:
        ops.uid = before
