"""The whole study, small and for real: MNIST, TensorFlow, two processes, from nothing to the report and on from there.

One copy of the library lives through three commands, and the tests look at what each left behind:

1. `study all` with ReLU and sigmoid, two seeds, two epochs, in two processes.
2. The same again, with nothing to do.
3. A record is cut short, an activation is added to the registry and four unfit ones; ReLU gets another label, and the
   training loop another docstring and comment. `study all` again, in one process and a strange environment.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest
from scientific import scientific_content
from synthetic import ROOT

from study.records.store import Record, Store
from study.settings import Settings

pytestmark = pytest.mark.timeout(900)  # the first test waits for everything

ADDED = """\
    "arctan": Activation(function=tf.math.atan, label="Arctan", formula=r"\\\\arctan z", source="a test"),
    "half": Activation(lambda z: tf.math.log(z), "Half", "z", "a test"),
    "soft": Activation(tf.nn.softmax, "Soft", "z", "a test"),
    "branch": Activation(lambda z: z * 2 if tf.reduce_max(tf.abs(z)) > 0 else z, "Branch", "z", "a test"),
    "rough": Activation(lambda z: z + tf.sin(1e6 * z) / 1e3, "Rough", "z", "a test"),
"""
CONTRACT = {  # columns that readers of the tables rely on
    "accuracy": ["experiment", "activation", "n", "diverged", "test_accuracy_mean", "ci_low", "ci_high"],
    "runs": ["experiments", "run", "activation", "depth", "width", "init", "variant", "optimiser", "learning_rate",
             "batch", "dropout", "seed", "epochs", "status", "validation_loss", "validation_accuracy", "test_loss",
             "test_accuracy", "seconds"],
    "gradient_norms": ["experiment", "activation", "depth", "width", "init", "variant", "optimiser", "learning_rate",
                       "layer", "epoch", "step", "measure", "mean", "ci_low", "ci_high", "n", "n_zero"],
}  # fmt: skip


@dataclass
class Command:
    """How one `study all` ended, and what it left: records by run, and the report's files by their path."""

    code: int
    seconds: float
    said: str
    records: dict[str, Record]
    files: dict[str, bytes] = field(repr=False)

    @property
    def readme(self) -> str:
        return self.files["README.md"].decode()

    @property
    def answer(self) -> str:
        return next(line for line in self.readme.splitlines() if "mean test accuracies" in line)

    @property
    def asked(self) -> list[tuple[str, int]]:
        """Return activation and seed of every record, sorted."""
        every = [record["identity"]["settings"] for record in self.records.values()]
        return sorted((settings["activation"], settings["seed"]) for settings in every)


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file.name}"
    file.write_text(text.replace(old, new))


def shows(picture: bytes, label: str) -> bool:
    """Tell whether an SVG shows the label as text."""
    return f">{label}".encode() in picture


def study(checkout: Path, *words: str, **variables: str) -> Command:
    """Run this command in this copy of the library, and look at what it left."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), **variables}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "study", *words],
        cwd=checkout, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    seconds = time.monotonic() - began
    results = checkout / "results"
    store = Store(results / "runs")
    made = (path for path in results.rglob("*") if path.is_file() and "runs" not in path.parts[-3:])
    paths = [path for path in made if path.name[0] != "."]
    files = {str(path.relative_to(results)): path.read_bytes() for path in paths}
    return Command(done.returncode, seconds, done.stdout, store.find(store.runs()), files)


@dataclass
class Life:
    """The copy's results folder, and what happened to it."""

    results: Path
    first: Command
    idle: Command
    victim: str
    third: Command


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    checkout = tmp_path_factory.mktemp("checkout")
    for folder in ("study", "experiments"):
        shutil.copytree(ROOT / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__"))
    constants, registry = checkout / "study" / "constants.py", checkout / "study" / "activations.py"
    replace(constants, "QUICK_EPOCHS = 4", "QUICK_EPOCHS = 2")
    replace(constants, "INITIAL_DEPTHS = (1, 2, 5, 10, 20, 50)", "INITIAL_DEPTHS = (1, 2)")  # theory takes seconds
    replace(registry, '"Hendrycks & Gimpel 2016")', '"Hendrycks & Gimpel 2016", studied=False)')
    replace(registry, 'Elfwing et al. 2018)",', 'Elfwing et al. 2018)", studied=False,')
    pictures = checkout / "study" / "report" / "pictures.py"
    replace(pictures, '"svg", "png", "pdf")', '"svg", "png")')
    replace(pictures, "FEW_DRAWINGS = 4", "FEW_DRAWINGS = 100")  # other processes take seconds to start
    results = checkout / "results"
    every = ("all", "baseline", "--quick", "--seeds", "2", "--workers")  # as the Makefile types it
    first = study(checkout, *every, "2")
    assert first.code == 0, first.said
    idle = study(checkout, *every, "2")
    store = Store(results / "runs")
    victim = next(run for run, record in first.records.items() if record["activation"]["label"] == "Sigmoid")
    store.path(victim).write_bytes(store.path(victim).read_bytes()[:-1000])
    replace(registry, "\n}\n", f"\n{ADDED}}}\n")
    replace(registry, '"ReLU"', '"Rectifier"')
    training = checkout / "study" / "engine" / "training.py"
    docstring = ast.get_docstring(ast.parse(training.read_text()), clean=False)
    replace(training, str(docstring), "Other words.")
    training.write_text(training.read_text() + "\n# a comment\n")
    (checkout / "keras").mkdir()
    (checkout / "keras" / "keras.json").write_text('{"backend": "torch", "floatx": "float64"}')
    strange = {"KERAS_BACKEND": "jax", "KERAS_HOME": str(checkout / "keras"), "MPLBACKEND": "module://nonsense"}
    third = study(checkout, *every, "0", LC_ALL="C", TZ="Asia/Kathmandu", **strange)
    return Life(results, first, idle, victim, third)


def test_everything_is_made(life: Life) -> None:
    """Exit 0; four records; the report, its tables with the promised columns, and every figure as SVG and PNG."""
    assert "4 runs done, 4 recorded" in life.first.said
    assert life.first.asked == [("relu", 2000), ("relu", 2001), ("sigmoid", 2000), ("sigmoid", 2001)]
    for name, columns in CONTRACT.items():
        header = life.first.files[f"tables/{name}.csv"].decode().splitlines()[0].split(",")
        assert [column for column in columns if column not in header] == []
    pictures = {Path(name).stem for name in life.first.files if name.startswith("figures/")}
    pages = "".join(text.decode() for name, text in life.first.files.items() if name.endswith(".md"))
    assert pictures >= {"activations", "baseline_accuracy", "baseline_training", "baseline_gradients_initial"}
    for picture in pictures:
        assert life.first.files[f"figures/{picture}.svg"].startswith(b"<?xml")
        assert life.first.files[f"figures/{picture}.png"].startswith(b"\x89PNG")
        assert f"figures/{picture}.png" in pages
    assert "Traceback" not in life.first.said


def test_networks_learn_and_records_describe_themselves(life: Life) -> None:
    """After two epochs every network is right more often than nine times in ten, and its record is complete."""
    for record in life.first.records.values():
        assert record["result"]["status"] == "done"
        assert record["result"]["last"]["test_accuracy"] > 0.9
        assert len(record["result"]["history"]["epoch"]) == 2
        assert record["identity"]["settings"].keys() == Settings(activation="relu", seed=0).to_dict().keys()
        assert record["activation"].keys() == {"label", "formula", "source"}
        assert len(record["identity"]["data"]) == 64
        assert {"python", "tensorflow", "keras", "numpy", "cpu"} <= record["provenance"]["environment"].keys()
        assert record["provenance"]["timings"]["seconds"] > 0
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["provenance"]["date"])


def test_with_nothing_to_do_it_ends_at_once(life: Life) -> None:
    """Within five seconds, with exit 0, and no record or file of the report changes."""
    assert life.idle.code == 0
    assert "0 runs done: nothing has changed" in life.idle.said
    assert life.idle.seconds < 5
    assert (life.idle.records, life.idle.files) == (life.first.records, life.first.files)


def test_done_again_elsewhere_it_is_the_same_run(life: Life) -> None:
    """The truncated record is set aside, not removed. Trained again, alone, in another environment: the same bytes."""
    assert (life.results / "runs" / "damaged" / f"{life.victim}.json").exists()
    again, before = life.third.records[life.victim], life.first.records[life.victim]
    assert again["provenance"]["date"] > before["provenance"]["date"]
    assert scientific_content(again) == scientific_content(before)


def test_one_entry_more_trains_its_own_runs_alone(life: Life) -> None:
    """And the damaged one: all other records are untouched. No label, comment or docstring of the engine retrains."""
    assert "3 runs done, 6 recorded" in life.third.said
    assert life.third.asked == [("arctan", 2000), ("arctan", 2001), *life.first.asked]
    kept = life.first.records.keys() - {life.victim}
    assert {run: life.third.records[run] for run in kept} == {run: life.first.records[run] for run in kept}


def test_one_entry_more_is_in_every_table_figure_and_answer(life: Life) -> None:
    """Each table with activations has the new one, each labelled figure its label, and the answer names it.

    ReLU's new label, too, takes the place of the old one.
    """
    tables = [name for name in life.third.files if name.startswith("tables/") and name.endswith(".csv")]
    for name in tables:
        frame = pd.read_csv(life.results / name)
        if "activation" in frame:
            assert "arctan" in set(frame["activation"]), name
    assert len(tables) >= 6
    pictures = {name: text for name, text in life.third.files.items() if name.endswith(".svg")}
    labelled = [name for name, text in pictures.items() if shows(text, "Sigmoid")]
    assert len(labelled) > 1, "names beside lines are drawn as shapes, which cannot be read"
    assert [name for name in labelled if not shows(pictures[name], "Arctan")] == []
    assert shows(pictures["figures/baseline_accuracy.svg"], "Rectifier")
    assert [label for label in ("Arctan", "Rectifier", "ReLU") if label in life.third.answer] == ["Arctan", "Rectifier"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("half", "has a value that is not finite at z = -100"),
        ("soft", "has the value .* it must be elementwise"),
        ("branch", "raises OperatorNotAllowedInGraphError .* without an if of Python"),
        ("rough", "leaves .* panels .* to test; .*theory cannot integrate it"),
    ],
)
def test_a_broken_entry_is_refused_by_name_and_the_rest_goes_on(life: Life, name: str, reason: str) -> None:
    """Exit 1; said in the terminal and in the report with the reason; not one run of it was tried."""
    assert life.third.code == 1
    assert re.search(rf"activation '{name}' was refused: it {reason}", life.third.said)
    assert re.search(rf"{name} was refused: it {reason}", life.third.readme)
    assert name not in dict(life.third.asked)
    assert name not in json.loads((life.results / "runs" / "plan.json").read_text())["activations"]
