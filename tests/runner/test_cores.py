"""As many worker processes as there are cores to use, or fewer where a container has a quota."""

import os
from pathlib import Path

import pytest

from study.runner.cores import cpu_quota, usual_workers

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine(root: Path, files: dict[str, str]) -> Path:
    """Write these files under `root`, and return it."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


V1 = "sys/fs/cgroup/cpu,cpuacct"
GROUPS = {
    "none": ({}, float("inf")),
    "v2": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
    "v2, without a limit": ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n"}, float("inf")),
    "v2, the parent's": (
        {
            "proc/self/cgroup": "0::/a/b\n",
            "sys/fs/cgroup/a/cpu.max": "50000 100000\n",
            "sys/fs/cgroup/a/b/cpu.max": "400000 100000\n",
        },
        0.5,
    ),
    "v1": (
        {
            "proc/self/cgroup": "5:memory:/x\n4:cpu,cpuacct:/x\n",
            f"{V1}/x/cpu.cfs_quota_us": "300000",
            f"{V1}/x/cpu.cfs_period_us": "100000",
        },
        3.0,
    ),
    "v1, in a container that sees its own group as the root": (
        {
            "proc/self/cgroup": "4:cpu,cpuacct:/docker/1\n",
            f"{V1}/cpu.cfs_quota_us": "200000",
            f"{V1}/cpu.cfs_period_us": "100000",
        },
        2.0,
    ),
    "v1, without a limit": (
        {
            "proc/self/cgroup": "1:cpu:/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
        float("inf"),
    ),
}


@pytest.mark.parametrize(("files", "quota"), GROUPS.values(), ids=GROUPS)
def test_the_quota_is_the_least_of_the_group_and_those_above_it(
    tmp_path: Path, files: dict[str, str], quota: float
) -> None:
    """In both versions of control groups; never more workers than the quota or the cores, never fewer than one."""
    root = machine(tmp_path, files)
    assert cpu_quota(root) == quota
    workers, reason = usual_workers(root)
    assert workers == max(min(int(min(quota, CORES)), CORES), 1)
    assert ("quota" in reason) == (quota < CORES)
