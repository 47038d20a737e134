"""What the process has that Linux' worker processes are forked from: TensorFlow and the engine, not yet used.

Used, TensorFlow has threads, which a fork would leave behind.
"""

import os

from study.engine import environment

environment.start_tensorflow()
os.environ.pop("TF_XLA_FLAGS", None)  # which TensorFlow reads when it is first used; each worker is told its own

from study import activations  # noqa: E402, F401 - they import TensorFlow
from study.engine import training  # noqa: E402, F401 - they import TensorFlow
