"""Who may import whom, and who may touch the disk: DESIGN.md's house, read from the syntax trees of its rooms."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from synthetic import ROOT, environment

ROOMS = {f"study.{path.stem}": path for path in (ROOT / "study").glob("*.py") if path.stem != "__init__"}
EXPERIMENTS = {f"experiments.{path.stem}": path for path in (ROOT / "experiments").glob("*.py")}
FILES = {**ROOMS, **EXPERIMENTS}
TREES = {name: ast.parse(path.read_text()) for name, path in FILES.items()}

# TensorFlow's rooms
ENGINE = {
    "activations",
    "costs",
    "meanfield",
    "compilation",
    "network",
    "gradients",
    "images",
    "measures",
    "normalization",
    "optimizers",
    "program",
    "training",
    "losses",
    "augmentation",
    "preloaded",
}
TENSORFLOW = {"tensorflow", "keras"}
DRAWING = {"matplotlib", "seaborn"}
DISK = {"dataset", "download", "files", "records", "ledger", "report", "environment", "cli"}
SWITCHBOARD = {"cli", "session", "execution", "entries", "timing"}  # they import the engine only when they call it
DOWNSTREAM = {"statistics", "tables", "style", "pictures", "claims", "timings"} | {
    n.split(".")[1] for n in ROOMS if "figures" in n
}


def rooms(*names: str) -> set[str]:
    """Those of the named rooms that there are, as modules."""
    return {f"study.{name}" for name in names} & ROOMS.keys()


def statements(node: ast.AST, inside_functions: bool) -> Iterator[ast.AST]:
    """Every node below; without those in functions, which do not run when the module is imported, unless asked for."""
    for child in ast.iter_child_nodes(node):
        yield child
        if inside_functions or not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from statements(child, inside_functions)


def imports(module: str, inside_functions: bool = True) -> set[str]:
    """Dotted names of the modules that a module imports, with every name taken from one as a possible submodule."""
    found = set()
    for node in statements(TREES[module], inside_functions):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def packages(module: str) -> set[str]:
    """Top-level packages it imports anywhere."""
    return {name.split(".")[0] for name in imports(module)}


def reached(module: str) -> set[str]:
    """All that importing the module imports of this project, itself included."""
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += imports(name, inside_functions=False) & FILES.keys()
    return found


def test_the_house_is_found() -> None:
    """The rooms that the tests below speak of are there, and the readers of imports see what is there."""
    assert rooms(*ENGINE) == {f"study.{name}" for name in ENGINE}
    assert len(DOWNSTREAM & {name.split(".")[1] for name in ROOMS}) >= 5
    assert {"tensorflow", "study.activations"} <= imports("study.training")
    assert "study.activations" in reached("study.training")
    assert "study.training" in imports("study.execution")
    assert "study.training" not in imports("study.execution", inside_functions=False)


@pytest.mark.parametrize("module", sorted(FILES))
def test_tensorflow_lives_in_the_engine_alone(module: str) -> None:
    """No other module imports TensorFlow or Keras, at its top or in a function."""
    if module not in rooms(*ENGINE):
        assert not packages(module) & TENSORFLOW


@pytest.mark.parametrize("module", sorted(FILES))
def test_drawing_lives_in_the_figures_alone(module: str) -> None:
    """matplotlib and seaborn are imported in the rooms of figures; elsewhere the type Figure, at most."""
    if "figures" not in module and module not in rooms("style", "pictures"):
        drawing = {name for name in imports(module) if name.split(".")[0] in DRAWING}
        assert drawing <= {"matplotlib.figure", "matplotlib.figure.Figure"}


@pytest.mark.parametrize("module", sorted(FILES.keys() - rooms(*ENGINE)))
def test_importing_anything_but_the_engine_imports_no_engine(module: str) -> None:
    """Nothing downstream can change a measurement: it does not reach the engine through any chain of imports."""
    assert not reached(module) & rooms(*ENGINE)


@pytest.mark.parametrize("module", sorted(FILES.keys() - rooms(*ENGINE, *SWITCHBOARD)))
def test_only_the_switchboard_calls_the_engine(module: str) -> None:
    """Not in a function either: the rooms that read, count, draw and tell have no way to the engine."""
    assert not imports(module) & rooms(*ENGINE)


@pytest.mark.parametrize("module", sorted(rooms(*DOWNSTREAM)))
def test_numbers_tables_and_figures_know_neither_records_nor_runs(module: str) -> None:
    """DataFrame in, DataFrame or Figure out: of this project they import each other and constants."""
    known = imports(module) & FILES.keys()
    assert known <= rooms(*DOWNSTREAM, "constants")


@pytest.mark.parametrize("module", sorted(rooms(*ENGINE)))
def test_the_engine_knows_nothing_of_what_becomes_of_its_numbers(module: str) -> None:
    """It imports no room of records, runs, reports or the command line."""
    downstream = (*DOWNSTREAM, *SWITCHBOARD, "records", "ledger", "report", "files", "progress", "experiment")
    assert not imports(module) & rooms(*downstream)


@pytest.mark.parametrize("module", sorted(EXPERIMENTS))
def test_an_experiment_declares_and_interprets(module: str) -> None:
    """It neither runs anything, nor reads or writes: it knows settings, records' frames, statistics and figures."""
    hands = (*ENGINE, *SWITCHBOARD, "files", "dataset", "download", "ledger", "report", "progress", "environment")
    assert not imports(module) & rooms(*hands)


@pytest.mark.parametrize("module", sorted(ROOMS))
def test_no_room_knows_a_particular_experiment(module: str) -> None:
    """The library finds experiments by looking into the folder; no room imports or spells out one of them."""
    names = EXPERIMENTS.keys() - {"experiments.__init__"}
    assert not imports(module) & names
    texts = [n.value for n in ast.walk(TREES[module]) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    assert not [text for text in texts for name in names if name in text.replace("/", ".")]
    assert "experiments" not in packages(module) or module == "study.experiment"


CALLS = {"open", "read_text", "write_text", "read_bytes", "write_bytes", "mkdir", "unlink", "touch", "to_csv", "rmtree"}
DISK_MODULES = {"shutil", "tempfile", "sqlite3", "pickle", "glob"}


def disk_calls(module: str) -> set[str]:
    """Names of the calls in a module that read or write files; to_csv only with somewhere to write to."""
    found = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in CALLS and not (name == "to_csv" and not node.args):
                found.add(name)
    return found


@pytest.mark.parametrize("module", sorted(FILES.keys() - rooms(*DISK)))
def test_disk_is_touched_in_the_rooms_of_disk_alone(module: str) -> None:
    """No other module opens, reads, writes or removes a file. Two exceptions hold no data: a closed pipe is led to
    os.devnull in `progress`, and `workers` gives them a temporary folder for what they compile."""
    found = disk_calls(module) | (packages(module) & DISK_MODULES)
    assert found <= {"study.progress": {"open"}, "study.workers": {"tempfile"}}.get(module, set())


def test_the_search_for_disk_calls_finds_them() -> None:
    """It sees those of the rooms that have them."""
    assert {"open", "mkdir", "unlink"} <= disk_calls("study.files")
    assert "read_bytes" in disk_calls("study.records")


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


def test_importing_the_house_has_no_effect(tmp_path: Path) -> None:
    """All rooms but the engine's, and all experiments, in a fresh process: no TensorFlow, no seed, no setting, no
    file, no handler, not a word said. The one that runs the command when it is run is left out."""
    names = sorted(FILES.keys() - rooms(*ENGINE) - {"study.__main__"})
    command = [sys.executable, "-W", "error", "-c", IMPORT_EVERYTHING, *names]
    done = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert json.loads(done.stdout) == {"changed": [], "heavy": []}
