"""Describe the machine and the packages that a run was made with."""

import functools
import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "scipy", "matplotlib", "distributed")
INSTRUCTIONS = "ONEDNN_MAX_CPU_ISA"  # the user's variable; matrix products round as on a CPU without newer instructions


@functools.cache
def describe() -> dict[str, str]:
    """Return the versions of Python and the packages, the CPU's name, and the user's limit to its instructions if any.

    They are looked up once, because that takes as long as training a small network."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    limits = {INSTRUCTIONS: os.environ[INSTRUCTIONS]} if INSTRUCTIONS in os.environ else {}
    return {"python": platform.python_version(), **versions, "cpu": cpu_name(), **limits, "system": platform.system()}


def cpu_name() -> str:
    """Return the processor's model name where the system tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
