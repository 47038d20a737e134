"""Describe the machine and the packages that a run was made with."""

import functools
import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "scipy", "matplotlib", "distributed")
INSTRUCTIONS_VARIABLE = (
    "ONEDNN_MAX_CPU_ISA"  # users may set this variable; matrix products then round as on an older CPU
)


@functools.cache
def describe_environment() -> dict[str, str]:
    """Return what this process works with, as {name: text}: versions of Python and PACKAGES, CPU and operating system.

    The value of INSTRUCTIONS_VARIABLE is added under the variable's name if the user has set it. The dict is made once
    per process, because that takes as long as training a small network.
    """
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    limits = {INSTRUCTIONS_VARIABLE: os.environ[INSTRUCTIONS_VARIABLE]} if INSTRUCTIONS_VARIABLE in os.environ else {}
    return {"python": platform.python_version(), **versions, "cpu": cpu_name(), **limits, "system": platform.system()}


def cpu_name() -> str:
    """Return the processor's model name if Linux tells it, else what Python's `platform` calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
