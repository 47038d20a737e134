"""Describe the machine and the packages that a run was made with."""

import functools
import importlib.metadata
import os
import platform
import time
from pathlib import Path
from typing import Any

PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "scipy", "matplotlib", "distributed")
INSTRUCTIONS_VARIABLE = "ONEDNN_MAX_CPU_ISA"  # if a user sets it, matrix products round as on an older CPU


def provenance(environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the provenance of what has just been measured: `environment` (None: this process's), and date in UTC."""
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"environment": environment or describe_environment(), "date": date}


@functools.cache
def describe_environment() -> dict[str, str]:
    """Return what this process works with, as {name: text}: versions of Python and PACKAGES, CPU and operating system.

    INSTRUCTIONS_VARIABLE is added if the user has set it. The dict is made once per process, because that takes as long
    as training a small network.
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
