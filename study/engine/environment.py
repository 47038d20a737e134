"""Set the environment variables that TensorFlow, Keras and the C library read when they start."""

import importlib
import os
import sys

# Each process has one thread: the study runs one process on each core, and sums are added up in one order.
# Reductions are compiled as plain loops: as trees they take 40% longer to compile and are not faster.
# Results of the same arrays are computed in one pass over them, which XLA does not do on CPUs by default.
# Elementwise functions are not tiled: a tanh of rows of 100 takes up to twice as long when tiled.
XLA_FLAGS = (
    "--xla_cpu_multi_thread_eigen=false",
    "--xla_disable_hlo_passes=tree_reduction_rewriter",
    "--xla_backend_extra_options=xla_cpu_use_multi_output_fusion,xla_cpu_disable_tiled_emitter",
)
# Keras does not read the user's keras.json, which may name another backend or precision.
KERAS = {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": os.devnull}
VARIABLES = {
    **KERAS,
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": " ".join(XLA_FLAGS),
    # Child processes on Linux use large memory pages. Every batch reads a hundred rows from anywhere in 50 MB, and
    # looking up the addresses of small pages took a twentieth of an epoch.
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def prepare() -> None:
    """Set the environment variables that affect the exact results and the speed; child processes inherit them.

    Of the user's XLA_FLAGS, only those about CPUs are kept, because XLA ends a process at a flag that it does not know.
    The study's flags come last, because XLA takes the last of equal flags.
    """
    theirs = os.environ.get("XLA_FLAGS", "").split()
    kept = [flag for flag in theirs if flag.startswith("--xla_cpu_") and flag not in XLA_FLAGS]
    os.environ.update(VARIABLES)
    os.environ["XLA_FLAGS"] = " ".join([*kept, *XLA_FLAGS])


def start_tensorflow() -> None:
    """Set the environment by `prepare`, and import TensorFlow while standard error discards its notes on GPUs."""
    prepare()
    if "tensorflow" in sys.modules:
        return
    sys.stderr.flush()
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        importlib.import_module("tensorflow")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
