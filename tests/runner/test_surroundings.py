"""A command does not depend on the user's shell and home folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import environment

from study.engine import environment as preparation

LOOK = """
import sys, warnings
from study.runner import surroundings
surroundings.set_variables()
surroundings.quieten()
import matplotlib, numpy
import matplotlib.pyplot as plt
warnings.warn("seen")
numpy.array([1.0]) / 0
plt.figure()
print(matplotlib.get_backend(), matplotlib.rcParams["font.size"])
print("\\u03b2")
from pathlib import Path
print(Path.home().is_dir())
"""


def said(program: str, variables: dict[str, str]) -> list[str]:
    """Return the lines that the program prints in an environment of these variables; standard error must be empty."""
    needed = {"PATH": os.environ["PATH"], "PYTHONPATH": environment()["PYTHONPATH"]}
    done = subprocess.run(
        [sys.executable, "-c", program], env=needed | variables, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_figures_are_drawn_to_files_whatever_a_notebook_or_a_home_folder_says(tmp_path: Path) -> None:
    """The backend is agg, sizes are matplotlib's own, and no warning is shown, also without a home folder and Greek."""
    (tmp_path / "matplotlibrc").write_text("font.size: 30")
    variables = {"MPLBACKEND": "module://nonsense", "MATPLOTLIBRC": str(tmp_path), "PYTHONIOENCODING": "ascii"}
    assert said(LOOK, {**variables, "HOME": os.devnull}) == ["agg 10.0", r"\u03b2", "False"]


def test_a_user_without_home_and_entry_gets_a_folder(tmp_path: Path) -> None:
    """Where neither HOME nor the list of users says where the home is, it is a temporary folder."""
    (tmp_path / "sitecustomize.py").write_text("import pwd\ndef getpwuid(uid): raise KeyError\npwd.getpwuid = getpwuid")
    path = os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])
    assert said(LOOK, {"PYTHONPATH": path, "LANG": "C"}) == ["agg 10.0", "\N{GREEK SMALL LETTER BETA}", "True"]


def test_of_the_users_xla_flags_those_about_cpus_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """They stand once, before the study's own, however often the environment is prepared; others are dropped."""
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=AVX2 --xla_gpu_unknown=1 --xla_cpu_multi_thread_eigen=true")
    for _ in range(2):
        preparation.prepare()
        kept = ["--xla_cpu_max_isa=AVX2", "--xla_cpu_multi_thread_eigen=true"]
        assert os.environ["XLA_FLAGS"].split() == [*kept, *preparation.XLA_FLAGS]
