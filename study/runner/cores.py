"""Say how many worker processes this machine has cores for, and why. `make help` runs this file with any Python."""

import math
import os
import sys
from pathlib import Path


def usual_workers(root: Path = Path("/")) -> "tuple[int, str]":
    """Return how many worker processes to start, and the reason in words: one per core, or fewer by `cpu_quota`.

    `root` is the folder that holds proc/ and sys/; only tests pass another.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(root)
    if quota < cores:
        return max(int(quota), 1), f"a quota of {quota:g} CPUs on {cores} cores"
    return cores, "one for each core that may be used"


def cpu_quota(root: Path = Path("/")) -> float:
    """Return how many CPUs Linux allows this process: the least quota of its control groups, infinity if none has one.

    Control groups of versions 1 and 2 count. `root` is the folder that holds proc/ and sys/.
    """
    quotas = [math.inf]
    try:
        lines = (root / "proc" / "self" / "cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)  # the line of version 2 names no controllers
        names = {"", "unified"} if not controllers else {controllers, "cpu"}
        if not controllers or "cpu" in controllers.split(","):
            for name in names:
                mount = root / "sys" / "fs" / "cgroup" / name
                group = mount / path.strip("/")
                quotas += [_quota(folder) for folder in (group, *group.parents) if mount in (folder, *folder.parents)]
    return min(quotas)


def _quota(group: Path) -> float:
    """Return how many CPUs the control group in the folder `group` allows: quota divided by period, or infinity."""
    for files in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
        try:
            quota, period = map(int, " ".join((group / file).read_text() for file in files).split())
        except (OSError, ValueError):  # the file does not exist, or says "max"
            continue
        if quota > 0 and period > 0:
            return quota / period
    return math.inf


if __name__ == "__main__":
    number, reason = usual_workers()
    sys.stdout.write(f"WORKERS is {number} on this machine unless you say otherwise: {reason}\n")
