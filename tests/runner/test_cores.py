"""As many worker processes as there are cores to use, or fewer where a container has a quota."""

import math
import os
from pathlib import Path

import pytest

from study.runner.cores import cpu_quota, usual_workers

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def v1(group: str, quota: int) -> dict[str, str]:
    return {f"{group}/cpu.cfs_quota_us": str(quota), f"{group}/cpu.cfs_period_us": "100000"}


GROUPS = {  # /proc/self/cgroup, the files of /sys/fs/cgroup, and the CPUs allowed
    "none": ("", {}, math.inf),
    "v2": ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
    "v2, without a limit": ("0::/a\n", {"a/cpu.max": "max 100000\n"}, math.inf),
    "v2, the parent's": ("0::/a/b\n", {"a/cpu.max": "50000 100000\n", "a/b/cpu.max": "400000 100000\n"}, 0.5),
    "v1": ("5:memory:/x\n4:cpu,cpuacct:/x\n", v1("cpu,cpuacct/x", 300000), 3.0),
    "v1, in a container that sees its own group as the root": ("4:cpu,cpuacct:/d/1\n", v1("cpu,cpuacct", 200000), 2.0),
    "v1, without a limit": ("1:cpu:/\n", v1("cpu", -1), math.inf),
}


@pytest.mark.parametrize(("groups", "files", "quota"), GROUPS.values(), ids=GROUPS)
def test_the_quota_is_the_least_of_the_group_and_those_above_it(
    tmp_path: Path, groups: str, files: dict[str, str], quota: float
) -> None:
    """In both versions of control groups; never more workers than the quota or the cores, never fewer than one."""
    contents = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    contents |= {"proc/self/cgroup": groups} if groups else {}
    for name, text in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cpu_quota(tmp_path) == quota
    workers, reason = usual_workers(tmp_path)
    assert workers == max(min(int(min(quota, CORES)), CORES), 1)
    assert ("quota" in reason) == (quota < CORES)
