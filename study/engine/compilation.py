"""How a process compiles: under names that other processes find a program by, and apart from what trains."""

import contextlib
import ctypes
import hashlib
import itertools
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf
from tensorflow.python.framework import ops  # has no public counterpart; its numbers go into names and nowhere else

_NUMBERS: dict[str, Iterator[int]] = {}  # by what is traced; they go on, so that no name is given twice in a process


def compile_apart(call: Callable[[], object], what: str) -> None:
    """Call what compiles, named by `what` it is, in a thread of its own; raises what it raises.

    Linux' C library keeps the memory of different threads apart where it can. What compiling leaves behind is full of
    gaps, which it would search for room in every step of training: 3% of an epoch. Free memory, about 0.1 GB, goes back
    to the system.
    """
    with ThreadPoolExecutor(1) as thread:
        thread.submit(_named, call, what).result()
    if sys.platform == "linux" and hasattr(c_library := ctypes.CDLL(None), "malloc_trim"):
        c_library.malloc_trim(0)


def _named(call: Callable[[], object], what: str) -> None:
    with numbered_by(what):
        call()


@contextlib.contextmanager
def numbered_by(what: str) -> Iterator[None]:
    """Number what TensorFlow traces within the block by `what` it is, the same in every process.

    TensorFlow numbers what it traces in the order of a process's life, and XLA's cache of compiled programs knows a
    program by its names: two processes that came to the same network by different ways would both compile it.
    """
    tf.compat.v1.get_default_graph()  # takes a number when it is first asked for in a thread
    if what not in _NUMBERS:
        first = int.from_bytes(hashlib.sha256(what.encode()).digest()[:7], "big")
        _NUMBERS[what] = itertools.count(first)
    before = ops.uid
    ops.uid = _NUMBERS[what].__next__
    try:
        yield
    finally:
        ops.uid = before
