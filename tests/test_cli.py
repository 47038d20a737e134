"""The `study` command: its options, messages and exit codes."""

import gc
import json
import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import distributed
import numpy as np
import pytest
import synthetic
from synthetic import VARIABLE, Said, command, environment, started, told, write_data

import experiments
from experiments import cost
from study import commands
from study.records.files import lock_folder
from study.records.ledger import Ledger
from study.records.store import Store
from study.report import finished
from study.report.assembly import joint_style
from study.settings import Settings

DATA = ("--mnist", "data.npz", "--any-data")
RUN = ("run", "baseline", *DATA, "--workers", "0", "--seeds", "2")


def test_run_says_what_it_did(study: Said, fake: Path) -> None:
    """Exit 0, every run recorded once. A second time nothing is trained, and the ledger's time of all runs stays."""
    runs = [f"{name} {seed}" for name in ("relu", "sigmoid", "gelu", "swish") for seed in (0, 1)]
    spent = []
    for done in (8, 0):
        code, _, said = study(*RUN)
        assert (code, f"{done} runs done, 8 recorded in results/runs" in said) == (0, True)
        assert started(fake) == dict.fromkeys(runs, 1)
        spent.append(Store(Path("results/runs")).ledger().wall_seconds)
    assert spent[0] == spent[1] > 0


def test_a_second_time_there_is_nothing_to_do(study: Said, fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same `all` again neither looks at the registry nor draws; with a record cut short, it alone is done again."""
    monkeypatch.setattr(commands, "report", lambda options: 0)  # to draw takes seconds
    asked = ("all", *RUN[1:], "--activations", "relu")
    assert study(*asked)[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(commands, "_registry", None)
        patch.setattr(commands, "report", None)
        code, shown, _ = study(*asked)
        assert code == 0
        assert "0 runs done: nothing has changed" in shown
        with pytest.raises(TypeError):
            study(*asked[:-1], "relu gelu")
    victim = next(Path("results/runs").glob("?" * 20 + ".json"))
    victim.write_bytes(victim.read_bytes()[:-9])
    code, _, said = study(*asked)
    assert code == 0
    assert "1 runs done, 2 recorded" in said
    assert sum(started(fake).values()) == 3


def test_code_edited_during_the_runs_is_not_taken_for_done(
    study: Said, fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The results are of the code that was loaded, so the same command must look again."""
    monkeypatch.setattr(commands, "report", lambda options: 0)
    on_disk, run = ["loaded"], commands.run

    def edited_meanwhile(options: Any) -> int:
        on_disk[0] = "edited"
        return run(options)

    monkeypatch.setattr(finished, "code_hash", lambda: on_disk[0])
    monkeypatch.setattr(commands, "run", edited_meanwhile)
    asked = ("all", *RUN[1:], "--activations", "relu")
    assert study(*asked)[0] == 0
    assert not Path("results", finished.NOTE).exists()
    assert study(*asked)[0] == 0
    assert Path("results", finished.NOTE).exists()


def test_activations_may_be_any_of_the_registry(study: Said, fake: Path) -> None:
    """Names separated by blanks or commas, also ones that are not studied by default; in the registry's order."""
    assert study(*RUN, "--activations", "tanh, relu")[0] == 0
    assert list(started(fake)) == ["relu 0", "relu 1", "tanh 0", "tanh 1"]


TRAIN = ("train", *DATA)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("run baselin", ["unknown experiment 'baselin'", "baseline"]),
        ("run --activations rellu", ["unknown activation 'rellu'", "relu"]),
        ("plan --activations xyzzy", ["unknown activation 'xyzzy'", "relu", "sigmoid", "gelu", "swish"]),
        ("all bas --activations=rellu,swosh --workers=-2", ["rellu", "swosh", "bas", "workers is -2"]),
        ("run --activations ,", ["activations is empty"]),
        ("all --seeds 0", ["seeds is 0", "at least 1"]),
        ("run --seeds many", ["--seeds", "many"]),
        ("plan --first-seed=-1", ["first_seed is -1", "from 0 to"]),
        ("run --first-seed 4294967296", ["first_seed is 4294967296", "from 0 to"]),
        ("plan --workers=-1", ["workers is -1", "at least 0"]),
        ("train activation=relu seed=0 learning_rate=NaN", ["learning_rate is nan"]),
        ("train activation=relu seed=0 learning_rate=1e999", ["learning_rate is inf"]),
        ("train activation=relu seed=true", ["seed is True"]),
        ("train activation=relu seed=0 batch=null", ["batch is None"]),
        ("train activation=relu seed=0 width=[100,100]", ["width is (100, 100)"]),
        ("train activation= depth=0 seed=-1", ["activation is ''", "depth is 0", "seed is -1"]),
        ("train activation=relu seed=0 dept=3 sed=1", ["dept is not a setting", "sed is not a setting", "depth"]),
        ("train activation=rellu seed=0", ["unknown activation 'rellu'", "relu"]),
        ("train depth=2", ["activation is missing", "seed is missing"]),
        ("train activation=relu seed=0 depth=2 depth=3", ["depth is given 2 times"]),
        ("train relu", ["'relu' is not a setting", "FIELD=VALUE"]),
        ("theory rellu", ["unknown activation 'rellu'", "relu"]),
        ("", ["usage: study"]),
        ("fly", ["usage: study"]),
        ("run --fast", ["usage: study"]),
    ],
)
def test_what_is_not_known_is_refused_before_any_work(study: Said, fake: Path, asked: str, named: list[str]) -> None:
    """Exit 2; all that is wrong is named at once, with its value and what is allowed. No run, no folder."""
    code, _, said = study(*asked.split(), *(() if not asked or "theory" in asked else DATA))
    assert code == 2
    assert [part for part in named if part not in said] == []
    assert not fake.exists()
    assert not (fake.parent / "results").exists()


def test_train_is_one_run_that_is_recorded(study: Said, fake: Path) -> None:
    """Its scores as JSON; asked for again it is not trained again; a failed one is, and says why."""
    asked = (*TRAIN, "activation=relu", "seed=3", "depth=2", "width=[7,5]", "patience=none")
    code, shown, _ = study(*asked)
    assert code == 0
    store = Store(Path("results/runs"))
    (settings,) = (store.read(run)["identity"]["settings"] for run in store.runs())
    assert (settings["width"], settings["patience"]) == ([7, 5], None)
    assert json.loads(shown)["last"] == synthetic.result(Settings(**settings))["last"]
    assert study(*asked)[1] == shown
    assert started(fake) == {"relu 3": 1}


def test_a_run_that_failed_is_done_again(study: Said, fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of a failure does not count: `plan` lists its run, `train`, `run` and `all` do it again. Exit 1, 0."""
    monkeypatch.setattr(commands, "report", lambda options: 0)
    monkeypatch.setenv(VARIABLE, told(fake, how={"relu 0": "raise no reason"}))
    for words in (RUN, (*TRAIN, "activation=relu", "seed=0"), ("all", *RUN[1:]), ("all", *RUN[1:])):
        code, shown, said = study(*words)
        assert code == 1
        assert "failed: RuntimeError: no reason" in said
        assert ('"cause": "RuntimeError: no reason"' in shown) == (words[0] == "train")
    assert "8 runs, 1 to do" in study("plan", *RUN[1:])[1]
    monkeypatch.setenv(VARIABLE, told(fake))
    assert "1 runs done, 8 recorded" in study(*RUN)[2]
    assert started(fake)["relu 0"] == 5


def test_a_function_retrains_its_own_runs_alone_and_words_retrain_nothing(
    study: Said, fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another label, formula, source and place in the registry are taken over without a run.

    Another function under the same name: its two runs and no others; the old one's records are not overwritten.
    """
    study(*RUN)
    relu, *others = synthetic.REGISTRY.items()
    entries = dict([*others, relu])  # ReLU is now the last
    entries["gelu"] = replace(entries["gelu"], label="Gaussian", formula="x", source="elsewhere")
    monkeypatch.setattr(synthetic, "REGISTRY", entries)
    assert "0 runs done, 8 recorded" in study(*RUN)[2]
    style = joint_style([Ledger.load(Path("results/runs/plan.json"))])
    assert style.labels["gelu"] == "Gaussian"
    assert style.order(["relu", "sigmoid", "gelu", "swish"]) == ["sigmoid", "gelu", "swish", "relu"]
    before = started(fake)
    monkeypatch.setitem(entries, "gelu", replace(entries["gelu"], function=lambda z: 1.001 * z))
    assert "2 runs done, 8 recorded" in study(*RUN)[2]
    assert started(fake) - before == {"gelu 0": 1, "gelu 1": 1}
    assert len(Store(Path("results/runs")).runs()) == 10


def test_activations_of_two_experiments_keep_places_of_their_own(study: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new first entry of the registry moves the others, also in experiments that are not run again."""
    baseline = experiments.by_name()["baseline"]
    monkeypatch.setattr(experiments, "by_name", lambda: {"baseline": baseline, "other": baseline})
    study(*RUN)
    entries = {"new": replace(synthetic.REGISTRY["tanh"], function=np.arctan), **synthetic.REGISTRY}
    monkeypatch.setattr(synthetic, "REGISTRY", entries)
    assert study("run", "other", *RUN[2:], "--activations", "new")[0] == 0
    style = joint_style([Ledger.load(Path("results/runs/plan.json"))])
    assert style.order(["relu", "new", "swish"]) == ["new", "relu", "swish"]


@pytest.mark.usefixtures("undrawn")
def test_entries_that_theory_or_nobody_can_use_are_named(
    study: Said, fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1, each with its reason; others go on. `plan` says so before, and a report of them alone says so.

    `activations` lists the others in the registry's order, and marks those that are studied.
    """

    def integrate(function: Any) -> None:
        if function is np.floor:
            raise synthetic.ActivationError("is not smooth")

    monkeypatch.setattr(synthetic, "from_tensorflow", integrate)
    tanh = synthetic.REGISTRY["tanh"]
    unfit = {"bare": np.tanh, "broken": replace(tanh, function=np.log), "rough": replace(tanh, function=np.floor)}
    monkeypatch.setattr(synthetic, "REGISTRY", {**unfit, **synthetic.REGISTRY})
    reasons = ("cannot be described", "has a value that is not finite", "is not smooth")
    commands_and_codes = [
        (("activations",), "would be", 1),
        (("plan", *RUN[1:], "--activations", " ".join(unfit)), "would be", 0),
        ((*RUN, "--activations", " ".join(["relu", *unfit])), "was", 1),
        (("all", *RUN[1:], "--activations", " ".join(unfit)), "was", 1),
    ]
    with np.errstate(invalid="ignore", divide="ignore"):
        for words, were, expected in commands_and_codes:
            code, shown, said = study(*words)
            assert code == expected
            for name, reason in zip(unfit, reasons, strict=True):
                assert f"activation '{name}' {were} refused: it {reason}" in shown + said
        listed = [line.split()[:2] for line in study("activations")[1].splitlines()]
    assert list(started(fake)) == ["relu 0", "relu 1"]
    assert "broken was refused" in Path("results/README.md").read_text()
    assert listed[:5] == [["*", "relu"], ["*", "sigmoid"], ["*", "gelu"], ["*", "swish"], ["tanh", "Tanh"]]


@pytest.mark.usefixtures("undrawn", "fake")
def test_a_question_that_the_remaining_runs_cannot_answer_is_left_out(
    study: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report names it and has the other pages. If nothing is missing, the error is a defect, and ends it."""
    assert study("all", *RUN[1:], "--activations", "relu tanh")[0] == 0
    monkeypatch.setattr(cost, "conclude", lambda *_: {}["gone"])
    with pytest.raises(KeyError, match="gone"):
        study("report")
    store = Store(Path("results/runs"))
    store.path(store.runs()[0]).unlink()
    assert study("report")[0] == 1
    assert "do not answer the question cost" in Path("results/README.md").read_text()


@pytest.mark.usefixtures("undrawn")
def test_if_every_run_fails_the_report_says_so(study: Said, fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 1 and a report of failures alone."""
    monkeypatch.setenv(VARIABLE, told(how={"relu": "raise no reason"}))
    assert study("all", *RUN[1:], "--activations", "relu")[0] == 1
    assert Path("results/README.md").read_text().count("RuntimeError: no reason") == 2


def test_a_scheduler_that_is_none_is_said(study: Said) -> None:
    """Exit 1, and what to do. No client is left: it would block the next one."""
    code, _, said = study(*RUN, "--scheduler", "nowhere://x")
    assert code == 1
    assert not [o for o in gc.get_objects() if isinstance(o, distributed.Client)]
    assert "no Dask scheduler answers at nowhere://x" in said
    assert "this takes about" not in said  # this machine says nothing of another


def test_before_any_run_there_is_a_plan_and_nothing_to_report(study: Said, fake: Path) -> None:
    """How many runs, how many are to do, and how long these take. The report is refused: exit 2, and no folder."""
    code, shown, _ = study("plan", "baseline", *DATA, "--workers", "3", "--seeds", "2")
    assert code == 0
    assert "baseline: 8 runs, 8 to do" in shown
    assert "with 3 processes this takes about" in shown
    assert not fake.exists()
    code, _, said = study("report")
    assert code == 2
    assert "nothing to report in results" in said
    assert not Path("results").exists()


@pytest.mark.parametrize(
    ("asked", "results", "reason"),
    [
        ("verify", "typo", "no folder typo"),
        ("verify", "~no-such-user/results", "~no-such-user/results: "),
        *((asked, "file", "file is a file") for asked in ("verify", "report", "plan", "run --mnist nowhere")),
        ("run --mnist nowhere", "folder", "folder/runs"),
    ],
)
def test_a_results_folder_that_is_not_one_is_said(
    study: Said, fake: Path, asked: str, results: str, reason: str
) -> None:
    """Exit 2 and its path, if it does not exist, is a file, has a file in place of its runs, or is in no home folder.

    Data is not even looked for, the file stays, and nothing is trained.
    """
    Path("folder").mkdir()
    for file in ("file", "folder/runs"):
        Path(file).write_text("mine")
    code, shown, said = study(*asked.split(), "--results", results)
    assert (code, shown, reason in said) == (2, "", True)
    assert Path("file").read_text() == Path("folder/runs").read_text() == "mine"
    assert not fake.exists()


def test_the_home_folder_of_a_results_folder_is_found(study: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell leaves the ~ in --results=~/folder as it is."""
    monkeypatch.setenv("HOME", str(Path("home").resolve()))
    assert study(*RUN, "--results=~/folder")[0] == 0
    assert len(Store(Path("home/folder/runs")).runs()) == 8
    assert study("verify", "--results=~/folder")[1].endswith("records and documents, 0 damaged\n")


def test_two_reports_on_one_folder(study: Said) -> None:
    """While one is written, another command says who writes it and writes none, exit 5; runs are done all the same."""
    with lock_folder(Path("results")):
        for words in (("all", *RUN[1:]), ("report",)):
            code, _, said = study(*words)
            assert (code, f"results is locked by another command: process {os.getpid()} on " in said) == (5, True)
        assert not Path("results/README.md").exists()
        assert "0 runs done, 8 recorded" in study(*RUN)[2]


def test_a_damaged_plan_is_named(study: Said) -> None:
    """runs/plan.json that cannot be read: exit 4 and its path; without it, nothing has to be trained again."""
    study(*RUN)
    Path("results/runs/plan.json").write_text("{")
    for words in (RUN, ("report",)):
        code, _, said = study(*words)
        assert code == 4
        assert "results/runs/plan.json" in said
    Path("results/runs/plan.json").unlink()
    Path("results/runs/plan.json").mkdir()  # a file that cannot be read, for root too
    code, _, said = study("report")
    assert (code, "results/runs/plan.json" in said) == (2, True)
    Path("results/runs/plan.json").rmdir()
    assert "0 runs done, 8 recorded" in study(*RUN)[2]


def test_an_interruption_says_how_to_go_on(study: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 130; the command to type again, quoted for a shell; finished runs are not repeated."""

    def interrupted(settings: Settings, how: str | None = None) -> dict:
        if settings.activation == "gelu":
            raise KeyboardInterrupt
        return result(settings, how)

    words, result = (*RUN, "--activations", "relu gelu"), synthetic.result
    monkeypatch.setattr(synthetic, "result", interrupted)
    code, _, said = study(*words)
    assert code == 130
    assert "interrupted; finished runs are kept" in said
    assert shlex.split(said.split("Resume with: ")[1])[1:] == list(words)


@pytest.mark.parametrize("words", [("plan", "baseline", *DATA), ("activations",)])
def test_an_interruption_where_nothing_runs_says_nothing_of_runs(
    study: Said, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Exit 130 and that it was interrupted: there is nothing that could be kept or resumed."""
    monkeypatch.setattr(synthetic, "check", Mock(side_effect=KeyboardInterrupt))
    assert study(*words) == (130, "", "study: interrupted\n")


def test_data_is_shown_or_its_lack_is_said(study: Said) -> None:
    """How many images, whence, and the checksum that records carry; exit 3 and the path given if there are none."""
    code, shown, _ = study("data", *DATA)
    assert code == 0
    assert "12 training and 6 test images from the given data.npz" in shown
    for words in (["run", "baseline"], ["data"], ["plan", "baseline"]):
        code, _, said = study(*words, "--mnist", "elsewhere/mnist.npz")
        assert (code, "elsewhere/mnist.npz" in said) == (3, True)


@pytest.mark.parametrize(
    ("words", "code", "unbuffered"),
    [("activations", 0, ""), ("activations", 0, "1"), ("--help", 0, ""), ("verify", 4, ""), ("verify", 4, "1")],
)
def test_nobody_reading_the_output_is_no_error(tmp_path: Path, words: str, code: int, unbuffered: str) -> None:
    """Standard output closed, as `| head -1` does: not a word, and the exit code is as if somebody read."""
    more = ["--results", damaged(tmp_path)] if words == "verify" else []
    done = with_closed_pipe([words, *more], stderr=subprocess.PIPE, PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr) == (code, b"")


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX")
@pytest.mark.parametrize(("closing", "verb", "code"), [
    (">&-", "verify", 4), ("2>&-", "report", 2), ("<&- >&- 2>&-", "verify", 4),
])  # fmt: skip
def test_a_command_without_standard_streams_has_its_exit_code(
    tmp_path: Path, closing: str, verb: str, code: int
) -> None:
    """Nothing is shown: neither the damaged record, nor that there is nothing to report, nor a traceback."""
    asked = f"{shlex.join(command(verb, '--results', damaged(tmp_path)))} {closing}"
    done = subprocess.run(["sh", "-c", asked], env=environment(), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", b"")


def damaged(results: Path) -> Path:
    """Write an empty record to a results folder, and return the folder."""
    (results / "runs").mkdir()
    (results / "runs" / f"{0:020}.json").touch()
    return results


def test_nobody_reading_the_progress_stops_nothing(tmp_path: Path) -> None:
    """Standard error closed too, as `2>&1 | head -1` does: the run is done and recorded, and the exit code is 0."""
    data = write_data(tmp_path / "data.npz")
    words = ["train", "activation=relu", "seed=0", "--results", tmp_path / "r", "--mnist", data, "--any-data"]
    assert with_closed_pipe(words, stderr=subprocess.STDOUT).returncode == 0
    assert len(Store(tmp_path / "r" / "runs").runs()) == 1


def with_closed_pipe(words: list[object], stderr: int, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command with a standard output that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command(*words), env=environment(**variables), stdout=writing, stderr=stderr, check=False)
    os.close(writing)
    return done
