"""What a process must be told before TensorFlow starts."""

import importlib
import os
import sys

# One thread a process: the study uses its cores by running one process on each, and sums come out in one order.
# Reductions are compiled as plain loops: rewritten as trees they run no faster here, but compile 40% longer.
# Results made of the same arrays are made in one pass over them, which XLA leaves out by default on processors; and no
# elementwise function is tiled, which it does by default: a tanh of rows of 100 takes up to twice as long that way.
XLA_FLAGS = (
    "--xla_cpu_multi_thread_eigen=false",
    "--xla_disable_hlo_passes=tree_reduction_rewriter",
    "--xla_backend_extra_options=xla_cpu_use_multi_output_fusion,xla_cpu_disable_tiled_emitter",
)
VARIABLES = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": " ".join(XLA_FLAGS),
    # Linux' C library asks for large pages, for its children read this as they start: every batch reads a hundred rows
    # from anywhere in 50 MB, and looking up where small pages lie took a twentieth of an epoch.
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def prepare() -> None:
    """Set what decides a measurement's bits and speed, before TensorFlow is imported; child processes inherit it."""
    os.environ.update(VARIABLES)


def start_tensorflow() -> None:
    """Import TensorFlow, prepared, and without the notes on GPUs that it writes past Python's standard error."""
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
