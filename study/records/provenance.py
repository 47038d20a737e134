"""Describe the machine and the packages that a run was made with."""

import functools
import importlib.metadata
import platform
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "scipy", "matplotlib", "distributed")


@functools.cache
def describe() -> dict[str, str]:
    """Return the versions of Python and the packages, and the CPU's name.

    They are looked up once, because that takes as long as training a small network."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **versions, "cpu": cpu_name(), "system": platform.system()}


def cpu_name() -> str:
    """Return the processor's model name where the system tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
