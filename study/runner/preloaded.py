"""Import TensorFlow, the engine and Dask into the process that Linux worker processes are forked from.

This module must not compute anything with TensorFlow: that would start threads, which a forked process lacks.
"""

import os
import signal

from study.engine import environment

signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in the workers: the main process ends all of them
environment.start_tensorflow()
os.environ.pop("TF_XLA_FLAGS", None)  # TensorFlow reads it at its first use; each worker gets its own

from study import activations  # noqa: E402, F401 - it imports TensorFlow
from study.engine import training  # noqa: E402, F401 - it imports TensorFlow
from study.records.identity import engine_fingerprint  # noqa: E402
from study.runner import execution  # noqa: E402, F401 - it imports Dask, which takes a worker half a second

engine_fingerprint()  # cached here, with the code imported here; later edits of the files do not change it for workers
