"""Compiling: names the same in two processes, whatever each did before, never twice in one; a thread of its own."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import tensorflow as tf

from study.activations import REGISTRY
from study.data.mnist import Dataset
from study.engine import programs
from study.engine.compilation import compile_apart, numbered_by
from study.engine.program_kind import program_kind
from study.engine.training import train
from study.settings import Settings

# Traces a loop, before anything else, and prints how its functions are named.
CHILD = """
import json
from study.engine import environment
environment.start_tensorflow()
import test_compilation
print(json.dumps(test_compilation.names_of_a_loop()))
"""


def names_of_a_loop(program: str = "a loop") -> list[str]:
    """Trace a loop, as the engine compiles the `program`, and return how its functions are named."""
    loop = tf.function(lambda x: tf.while_loop(lambda y: y < 3, lambda y: (2 * y,), (x,))[0], autograph=False)
    found = []
    compile_apart(lambda: found.append(loop.get_concrete_function(tf.TensorSpec([], tf.float32))), program)
    return sorted(function.signature.name for function in found[0].graph.as_graph_def().library.function)


def test_what_was_traced_before_does_not_change_the_names() -> None:
    """A process that traced nothing before and this one, which traced other functions, name the same loop alike."""
    for _ in range(3):
        tf.function(lambda x: tf.while_loop(lambda i: i < 3, lambda i: (i + 1,), (0,)), autograph=False)(1.0)
    names = names_of_a_loop()
    assert len(names) == 2  # its condition and its body
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])}
    done = subprocess.run([sys.executable, "-c", CHILD], env=surroundings, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == names


def test_no_name_is_given_twice_in_a_process():
    """Tracing the same again, or something else, gives other names: TensorFlow would refuse one that it knows."""
    names = [*names_of_a_loop("one"), *names_of_a_loop("one"), *names_of_a_loop("other")]
    assert len(set(names)) == len(names)


def test_numbers_are_tensorflows_own_again_after_an_error():
    """The block puts back what it replaced, however it ends."""
    from tensorflow.python.framework import ops

    before = ops.uid
    with pytest.raises(KeyError), numbered_by("fails"):
        raise KeyError
    assert ops.uid is before


def test_training_compiles_in_a_thread_of_its_own(tiny_data: Dataset) -> None:
    """One that is over when the run is; and no other calls the activation, which a program does while it is made."""
    threads: list[threading.Thread] = []

    def function(z: tf.Tensor) -> tf.Tensor:
        threads.append(threading.current_thread())
        return tf.nn.relu(z)

    settings = Settings(activation="relu", seed=0, depth=1, width=4, batch=8, validation=1100, epochs=1, patience=None)
    watched = replace(REGISTRY["relu"], function=function)
    programs.compiled_programs(watched, program_kind(settings))  # which looks at it
    threads.clear()
    train(settings, tiny_data, watched)
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()
    assert not threads[0].is_alive()


def test_an_error_while_compiling_is_raised() -> None:
    """As it was, out of the thread."""

    def fail() -> None:
        raise MemoryError("too big")

    with pytest.raises(MemoryError, match="too big"):
        compile_apart(fail, "fails")
