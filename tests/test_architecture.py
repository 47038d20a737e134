"""Importing the study has no side effect, and the import law of pyproject.toml holds."""

import json
import re
import subprocess
import sys
from pathlib import Path

from synthetic import ROOT, environment

WITH_TENSORFLOW = (
    *("study/activations.py", "study/fitness.py", "study/runner/preloaded.py"),
    *("study/engine/", "study/networks/", "study/theory/", "study/cost/", "study/monitor/"),
)


def modules() -> list[str]:
    """Dotted names of all modules that must not load TensorFlow on import."""
    paths = (path.relative_to(ROOT) for folder in ("study", "experiments") for path in (ROOT / folder).rglob("*.py"))
    light = (
        p for p in paths if not p.as_posix().startswith(WITH_TENSORFLOW) and p.stem not in ("__init__", "__main__")
    )
    return sorted(".".join(path.with_suffix("").parts) for path in light)


def test_the_import_law_holds() -> None:
    """import-linter finds every contract of pyproject.toml kept."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


IMPORT_EVERYTHING = """
import json, logging, os, random, sys
import matplotlib, numpy, pandas  # what these do is theirs

def state():
    return {
        "environment": dict(os.environ),
        "rcParams": repr(dict(matplotlib.rcParams)),
        "numpy seed": numpy.random.get_state()[1].tolist(),
        "python seed": repr(random.getstate()),
        "handlers": repr(logging.getLogger().handlers),
        "files": sorted(os.listdir()),
    }

before = state()
import importlib
for name in sys.argv[1:]:
    importlib.import_module(name)
changed = [key for key, value in state().items() if value != before[key]]
heavy = [name for name in ("tensorflow", "keras") if name in sys.modules]
print(json.dumps({"changed": changed, "heavy": heavy}))
"""


def test_importing_the_study_has_no_effect(tmp_path: Path) -> None:
    """In a fresh process every module but the engine's is imported without TensorFlow, seed, setting, file or word."""
    command = [sys.executable, "-W", "error", "-c", IMPORT_EVERYTHING, *modules()]
    done = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert json.loads(done.stdout) == {"changed": [], "heavy": []}


def test_the_tests_that_the_table_of_faults_names_are_there() -> None:
    """Each row of CONTRIBUTING.md's table names tests, and every test it names is defined somewhere under tests/."""
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## What can go wrong")[1]
    rows = [line.split("|")[3] for line in table.splitlines() if line.startswith("|")][2:]
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(rows) > 25
    assert [row for row in rows if not re.findall(r"`test_\w+`", row)] == []
    assert [name for row in rows for name in re.findall(r"`(test_\w+)`", row) if f"def {name}(" not in code] == []
