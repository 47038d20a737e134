"""Say how many worker processes this machine has cores for, and why: `make help` prints it with any Python."""

import math
import os
import sys
from pathlib import Path


def usual_workers(root: Path = Path("/")) -> "tuple[int, str]":
    """Return how many processes to start, and the reason; `root` holds proc/ and sys/ and is "/" but in tests."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(root)
    if quota < cores:
        return max(int(quota), 1), f"a quota of {quota:g} CPUs on {cores} cores"
    return cores, "one for each core that may be used"


def cpu_quota(root: Path = Path("/")) -> float:
    """Return the least number of CPUs that a control group of this process (version 1 or 2) allows; inf if none."""
    quotas = [math.inf]
    try:
        lines = (root / "proc" / "self" / "cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        names = {"", "unified"} if not controllers else {controllers, "cpu"}
        if not controllers or "cpu" in controllers.split(","):
            for name in names:
                mount = root / "sys" / "fs" / "cgroup" / name
                group = mount / path.strip("/")
                quotas += [_quota(folder) for folder in (group, *group.parents) if mount in (folder, *folder.parents)]
    return min(quotas)


def _quota(group: Path) -> float:
    """Return the CPUs that this control group allows: microseconds in each period, divided by the period."""
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
