"""Experiments with a make target of their own, modules that conclude, and the timing of the activations."""

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import fake_records
import numpy as np
import pandas as pd
import pytest
import synthetic
from distributed.scheduler import KilledWorker
from plain_sections import plain
from synthetic import Said, started

import experiments
from study.analysis.claims import Judgement
from study.analysis.statistics import Interval
from study.constants import TIMING_PROCESSES, TIMING_REPEATS
from study.plan import Plan
from study.records.store import DIGITS, Store
from study.report.section import Evidence, Section
from study.runner import measurements
from study.runner.session import SHOWN_DIGITS
from study.runner.workers import in_new_workers
from study.settings import Settings

DATA = ("--mnist", "data.npz", "--any-data", "--workers", "0")


def asking(order: int, activations: tuple[str, ...], **more: Any) -> SimpleNamespace:
    """Return a module with one round of two seeds of these activations, a table `found` (a row per run), and A1."""

    def rounds(plan: Plan, so_far: list[Any]) -> list[Settings]:
        return [] if so_far else [Settings(activation=a, seed=s, epochs=3) for a in activations for s in (0, 1)]

    def interpret(plan: Plan, records: list[Any], style: Any) -> Section:
        steps = [len(record["result"]["measures"]["step"]) for record in records]
        rows = pd.DataFrame({"order": order, "steps": steps, "with_theory": len(plan.theory)})
        judged = Judgement("A1", "elementwise", Interval(0.5, 0.4, 0.6, 2), "reproduced")
        texts = [style.labels[activations[0]]]
        return plain(f"Asked {order}", f"answer {order}", texts, tables={"found": rows}, judgements=[judged])

    return SimpleNamespace(rounds=rounds, interpret=interpret, **more)


class Concluding:
    """A module that concludes: it notes the evidence it was given, and its section has a table of its own."""

    def __init__(self, order: int, needs: str = "", **more: Any) -> None:
        self.order, self.needs, self.seen = order, needs, list[Evidence]()
        vars(self).update(more)

    def conclude(self, plan: Plan, evidence: Evidence, style: Any) -> Section | None:
        self.seen.append(evidence)
        if self.needs and self.needs not in evidence.documents:
            return None
        return plain(f"Concluded {self.order}", tables={f"of_{self.order}": pd.DataFrame({"a": [1]})})


pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(autouse=True)
def modules(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace experiments/ by a verdict, an ordinary question, a timed conclusion, and a long protocol."""
    found = {
        "verdict": Concluding(0),
        "usual": asking(1, ("relu",)),
        "cost": Concluding(7, needs="cost", TIMES_ACTIVATIONS=True),
        "long": asking(20, ("tanh",), TARGET="claims"),
    }
    monkeypatch.setattr(experiments, "by_name", lambda: found)
    return found


def readme() -> str:
    return Path("results/README.md").read_text()


def test_a_long_protocol_runs_under_its_own_target_alone(study: Said, tmp_path: Path) -> None:
    """`study all` leaves it out and `--target claims` runs nothing else; both reports show what is there."""
    assert study("all", *DATA)[0] == 0
    assert {name.split()[0] for name in started(tmp_path / "log")} == {"relu", "timing"}
    assert "Asked 20" not in readme()
    assert study("all", "--target", "claims", *DATA)[0] == 0
    assert started(tmp_path / "log")["tanh 0"] == 1
    assert started(tmp_path / "log")["relu 0"] == 1
    assert study("all", *DATA)[0] == 0
    assert "Asked 20" in readme()
    assert "2 runs by `make claims`, " in "".join(page.read_text() for page in Path("results/questions").glob("*.md"))
    assert sum(started(tmp_path / "log").values()) == 4 + TIMING_PROCESSES, "something was done twice"


def test_named_it_runs_too(study: Said, tmp_path: Path) -> None:
    """Named experiments keep their runs in their own folders; one of another target than the one given is refused."""
    assert study("run", "usual", "long", *DATA)[0] == 0
    assert (len(Store(Path("results/runs")).runs()), len(Store(Path("results/records")).runs())) == (2, 2)
    code, _, said = study("run", "usual", "--target", "claims", *DATA)
    assert code == 2
    assert "usual belongs to the target all, not claims" in said


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--target", "claim"), ["unknown target 'claim'", "claims"]),
        (("--target", "claims", "--quick"), ["no quick form"]),
        (("verdict",), ["unknown experiment 'verdict'"]),
    ],
)
def test_what_cannot_be_asked_is_refused(study: Said, tmp_path: Path, words: tuple[str, ...], named: list[str]) -> None:
    """Exit 2 before any work; a module that asks for nothing cannot be run."""
    code, _, said = study("run", *words, *DATA)
    assert code == 2
    assert [part for part in named if part not in said] == []
    assert not Path("results").exists()


def test_kept_records_are_compact_and_a_clone_has_them(study: Said, tmp_path: Path) -> None:
    """The first and the last logged step alone; without runs/ the report still shows them and nothing is retrained."""
    study("run", "long", *DATA)
    store = Store(Path("results/records"))
    for run in store.runs():
        measures = store.read(run)["result"]["measures"]
        assert measures["step"] == [fake_records.STEPS[0], fake_records.STEPS[-1]]
        assert all(len(steps) == 2 for steps in measures.values())
    ledger = json.loads(Path("results/records/plan.json").read_text())
    assert not any(column for column in ledger["activations"]["tanh"]["theory"]["rows"].values())
    shutil.rmtree("results/runs", ignore_errors=True)
    before = started(tmp_path / "log")
    assert study("report")[0] == 0
    assert "Asked 20" in readme()
    assert study("all", "usual", *DATA)[0] == 0
    assert "Asked 20" in readme()
    assert study("run", "long", *DATA)[2].startswith("0 runs done, 2 recorded")
    assert started(tmp_path / "log") - before == {"relu 0": 1, "relu 1": 1}


def test_a_damaged_document_stops_the_report(study: Said) -> None:
    """Exit 4 and its path; the old report stays. `verify` lists damaged documents and records of both folders."""
    study("run", "long", *DATA)
    study("all", *DATA)
    document = Path("results/records/bench.json")
    Store(document.parent).write_document(document.stem, {"a": 1}, {})
    assert study("verify")[:2] == (0, "7 records and documents, 0 damaged\n")
    before = readme()
    victims = [document, Path("results/runs/cost.json"), next(document.parent.glob("[0-9a-f]" * 20 + ".json"))]
    for count, victim in enumerate(victims, start=1):
        victim.write_bytes(victim.read_bytes()[:-3])
        code, shown, _ = study("verify")
        assert (code, shown.splitlines()[-1]) == (4, f"7 records and documents, {count} damaged")
        assert [str(path) for path in victims[:count] if str(path) not in shown] == []
        code, _, said = study("report")
        assert (code, readme()) == (4, before)
        assert [path for path in victims[:count] if str(path) in said]


def test_conclusions_see_what_they_conclude_from(study: Said, modules: dict[str, Any]) -> None:
    """The first module is made last: it sees all tables, documents and judgements. Sections keep their order."""
    study("run", "long", *DATA)
    study("all", *DATA)
    seen = modules["verdict"].seen[-1]
    assert {"found", "of_7"} <= seen.tables.keys()
    assert sorted(seen.tables["found"]["order"]) == [1, 1, 20, 20]
    assert [judgement.claim for judgement in seen.judgements] == ["A1", "A1"]
    assert seen.documents["cost"]["content"]["seconds"] == dict.fromkeys(
        ("relu", "sigmoid", "gelu", "swish"), float(TIMING_REPEATS // TIMING_PROCESSES)
    )
    assert "of_0" not in modules["cost"].seen[-1].tables
    places = [
        readme().index(f"[{title}](questions/") for title in ("Concluded 0", "Asked 1", "Concluded 7", "Asked 20")
    ]
    assert places == sorted(places)


def test_the_digits_to_show_are_written_once(study: Said) -> None:
    """By the runs of `make all`, the first test image of each of SHOWN_DIGITS; a long protocol alone writes none."""
    study("run", "long", *DATA)
    path = Path("results/records/digits.json")
    assert not path.exists()
    study("all", *DATA)
    first = path.stat()
    with np.load("data.npz") as data:
        images, labels = data["x_test"].reshape(-1, 784).tolist(), data["y_test"].tolist()
    of_label = dict(zip(reversed(labels), reversed(images), strict=True))
    expected = {str(label): of_label[label] for label in SHOWN_DIGITS if label in of_label}
    assert Store(path.parent, is_committed=True).read(DIGITS)["content"]["images"] == expected != {}
    study("all", *DATA, "--seeds", "1")
    assert path.stat() == first


def test_a_conclusion_without_its_evidence_is_left_out(study: Said) -> None:
    """In a quick look nothing is timed, and the section is left out."""
    assert study("all", "--quick", *DATA)[0] == 0
    assert not Path("results/runs/cost.json").exists()
    assert "Concluded 7" not in readme()
    assert "Concluded 0" in readme()


def test_activations_that_only_runs_name_are_described_but_not_compared(study: Said, tmp_path: Path) -> None:
    """`usual` asks for ReLU, not compared by the plan: it has a label and theory, and no row of those compared."""
    assert study("all", "usual", *DATA, "--activations", "gelu")[0] == 0
    assert set(started(tmp_path / "log")) == {"relu 0", "relu 1"}
    kept = json.loads(Path("results/runs/plan.json").read_text())
    assert list(kept["activations"]) == ["relu", "gelu"]
    assert pd.read_csv("results/tables/activations.csv")["activation"].unique().tolist() == ["gelu"]
    assert pd.read_csv("results/tables/found.csv")["with_theory"].tolist() == [2, 2]


def test_runs_of_an_activation_that_is_not_there_are_left_out(
    study: Said, modules: dict[str, Any], tmp_path: Path
) -> None:
    """A claim may name one that has left the registry: exit 1, it is named, and the rest is done."""
    modules["usual"] = asking(1, ("relu", "gone"))
    code, _, said = study("all", "usual", *DATA)
    assert code == 1
    assert "activation 'gone' was refused: it is not in the registry" in said
    assert set(started(tmp_path / "log")) == {"relu 0", "relu 1"}


def test_plan_speaks_of_timing_and_of_long_protocols(study: Said) -> None:
    assert "activations will be timed" in study("plan", *DATA)[1]
    study("run", *DATA)
    assert "timed" not in study("plan", *DATA)[1]
    shown = study("plan", "--target", "claims", *DATA)[1]
    assert "long: 2 runs, 2 to do" in shown
    assert "usual" not in shown


def test_activations_are_timed_once(study: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not again for fewer activations; again for another or changed one, another machine or a damaged document.

    The activations in the document are then timed with them, unless they have changed, have left the registry or were
    timed on another machine.
    """
    path = Path("results/runs/cost.json")

    def timings(*more: str) -> int:
        assert study("run", "cost", *DATA, *more)[0] == 0
        whole, rest = divmod(started(tmp_path / "log")["timing"], TIMING_PROCESSES)
        assert rest == 0
        return whole

    assert timings() == 1
    assert timings() == 1
    assert timings("--activations", "relu swish") == 1
    assert timings("--activations", "relu tanh") == 2
    assert timings() == 2
    content = Store(path.parent).read("cost")["content"]
    assert list(content["seconds"]) == ["gelu", "relu", "sigmoid", "swish", "tanh"]
    steps = [row for row in content["timings"] if (row["activation"], row["quantity"]) == ("relu", "step")]
    assert [row["repeat"] for row in steps] == list(range(TIMING_REPEATS))
    assert {row["process"] for row in steps} == set(range(TIMING_PROCESSES))
    path.write_bytes(path.read_bytes()[:-1])
    assert timings("--activations", "relu swish") == 3
    monkeypatch.setattr(measurements, "cpu_name", lambda: "another")
    assert timings("--activations", "relu tanh") == 4
    assert list(Store(path.parent).read("cost")["content"]["seconds"]) == ["relu", "tanh"]
    changed = replace(synthetic.REGISTRY["relu"], function=lambda z: 2 * z)
    monkeypatch.setattr(synthetic, "REGISTRY", {**synthetic.REGISTRY, "relu": changed})
    assert timings("--activations", "relu gelu") == 5
    assert list(Store(path.parent).read("cost")["content"]["seconds"]) == ["gelu", "relu", "tanh"]
    others = {name: entry for name, entry in synthetic.REGISTRY.items() if name != "gelu"}
    unfit = replace(others["relu"], function=Mock(side_effect=KeyError("no reason")))
    monkeypatch.setattr(synthetic, "REGISTRY", {**others, "relu": unfit})
    assert timings("--activations", "elu") == 6
    assert list(Store(path.parent).read("cost")["content"]["seconds"]) == ["elu", "tanh"]


def test_a_timing_that_fails_is_said_and_nothing_else_is_lost(study: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "in_new_workers", Mock(side_effect=KeyError("no reason")))
    code, _, said = study("all", *DATA)
    assert code == 1
    assert "the activations were not timed: KeyError: 'no reason'" in said
    assert "Asked 1" in readme()


def test_each_worker_is_another_process() -> None:
    """A function is called once in each; one that ends its process every time is an error."""
    assert len({os.getpid(), *in_new_workers(lambda: time.sleep(0.2) or os.getpid(), [(), ()])}) == 3
    with pytest.raises(KilledWorker):
        in_new_workers(os._exit, [(3,)])
