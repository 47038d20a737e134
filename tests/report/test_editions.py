"""Editions are read from results folders and from git, and compared in lines of text."""

import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from repository import unpack_committed
from synthetic import Said

from experiments import other_editions
from study.analysis.editions import TABLES, compare
from study.figures.style import Style
from study.plan import Plan
from study.records.store import Store
from study.report import editions
from study.report.rendering import render
from study.report.section import Evidence, Section

OTHERS = {"better": "worse", "tie": "worse", "worse": "better"}
FINDINGS = "tables/verdict_findings.csv"


@pytest.fixture
def edition(tmp_path: Path) -> Path:
    """Return the results folder of the committed edition; `changed` edits a copy."""
    unpack_committed(tmp_path, *(f"results/tables/{name}.csv" for name in TABLES))
    return tmp_path / "results"


def changed(edition: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    """Copy the edition, change its table FINDINGS, and return the copy."""
    copy = edition.parent / "copy"
    shutil.copytree(edition, copy)
    change(pd.read_csv(copy / FINDINGS)).to_csv(copy / FINDINGS, index=False)
    return copy


def test_the_committed_edition_agrees_with_itself(command_line: Said, edition: Path) -> None:
    """Read from git or from a folder, every conclusion agrees; `--all` lists each; the line of `make all` says so."""
    code, line, _ = command_line("compare", edition)
    assert code == 0
    count = len(compare(editions.read(edition), editions.read(edition)))
    assert count > 40
    assert line == f"{count} conclusions: {count} agree, 0 compatible, 0 contradict\n"
    code, shown, _ = command_line("compare", edition, edition, "--all")
    assert (code, shown.count("\n")) == (0, count + 2)
    assert shown.endswith(f"\n{line}")
    assert f"{editions.comparison_in_one_line(edition)}\n".endswith(f"): {line}")


def test_a_contradiction_is_listed_with_both_numbers_and_exit_1(command_line: Said, edition: Path) -> None:
    """Every decided finding is turned round: the lines of contradictions come first, and the summary counts them."""
    numbers = {"difference": -0.00123, "ci_low": -0.002, "ci_high": -0.0004, "n": 42}
    copy = changed(edition, lambda table: table.assign(finding=table["finding"].replace(OTHERS), **numbers))
    code, shown, _ = command_line("compare", copy, edition)
    assert code == 1
    lines = shown.splitlines()
    assert lines[1].startswith("contradicts")
    assert " -0.12 [-0.20, -0.04], n = 42" in lines[1]
    assert " 0 contradict" not in lines[-1]
    assert editions.comparison_in_one_line(copy).endswith("; `study compare` lists them")


@pytest.mark.parametrize(
    ("kind", "word", "numbers", "told"),
    [
        ("headline", "relu", (0.9747, 0.9741, 0.9753), "relu 97.47 [97.41, 97.53], n = 5"),
        ("finding", "better", (0.0025, 0.0017, 0.0034), "better +0.25 [+0.17, +0.34], n = 5"),
        ("claim", "reproduced", (0.8, 0.65, 0.95), "reproduced 0.80 [0.65, 0.95], n = 5"),
        ("depth", "7", (7.0, 5.0, 9.0), "7 (5 to 9), n = 5"),
    ],
)
def test_a_conclusion_has_the_unit_of_its_kind(kind: str, word: str, numbers: tuple[float, ...], told: str) -> None:
    """Percent, points with a sign, the claim's own unit, and layers."""
    row = dict(zip(("estimate_a", "low_a", "high_a"), numbers, strict=True))
    assert editions.conclusion_text({**row, "kind": kind, "word_a": word, "n_a": 5.0}, "a") == told


def test_what_is_no_edition_is_named(command_line: Said, edition: Path) -> None:
    """A folder without tables, a table that is none, one without its columns: exit 2 and the path."""
    (edition.parent / "empty").mkdir()
    without = changed(edition, lambda table: table.drop(columns="finding"))
    for folder, named in ((edition.parent / "empty", "verdict.csv"), (without, "has no column finding")):
        code, _, said = command_line("compare", edition, folder)
        assert code == 2
        assert str(folder) in said
        assert named in said
    (edition / FINDINGS).write_bytes(b'"\xff')
    code, _, said = command_line("compare", edition, without)
    assert (code, f"{FINDINGS} of {edition} is not a table" in said) == (2, True)


def test_outside_git_it_is_said(command_line: Said, edition: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2 for `study compare A`; `make all` says one sentence and goes on. So without git, and without results."""
    monkeypatch.setattr(editions, "ROOT", edition)
    for path in (None, str(edition)):  # the second: no git on the PATH
        if path:
            monkeypatch.setenv("PATH", path)
        code, _, said = command_line("compare", edition)
        assert (code, "is not a git checkout" in said) == (2, True)
    assert editions.comparison_in_one_line(edition).startswith("not compared with the committed edition: ")
    monkeypatch.undo()
    for words in (["init", "-q"], ["-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "c", "--allow-empty"]):
        subprocess.run(["git", *words], cwd=edition, check=True)
    monkeypatch.setattr(editions, "ROOT", edition)
    assert "holds no conclusions" in command_line("compare", edition)[2]


def test_kept_editions_are_compared_in_the_report(edition: Path, tmp_path: Path) -> None:
    """The same conclusions all agree; one turned round is told with both numbers, as `study compare` tells it."""
    tables = editions.read(edition)
    words = {"worse": "better", "tie": "worse"}
    turned = editions.read(changed(edition, lambda frame: frame.assign(finding=frame["finding"].replace(words))))
    editions.keep(tables, "same", "nothing", tmp_path)
    editions.keep(turned, "turned", "the findings", tmp_path)
    editions.keep({"claims": tables["claims"]}, "claims", "no comparison of accuracies", tmp_path)
    documents = {path.stem: Store(tmp_path).read(path.stem) for path in sorted(tmp_path.glob("edition_*.json"))}
    evidence = Evidence({name: table for name, table in tables.items() if name != "claims"}, documents)
    section = other_editions.conclude(Plan(()), evidence, Style({}, {}))
    assert section is not None
    counts = section.tables["other_editions"].set_index("edition")
    assert counts.loc["same", ["compatible", "contradicts"]].tolist() == [0, 0]
    assert counts.loc["turned", "contradicts"] > 0
    page = render(section, {})
    assert f"{counts['contradicts'].sum()} contradict" in page.answer
    assert "2 repeats with other seeds, processors or rounding" in page.answer
    assert counts["recommends"].to_dict() == {"claims": False, "same": True, "turned": True}
    shown, rows = page.displays[1].frame, section.tables["edition_differences"].to_dict("records")
    assert set(shown["Edition"]) == {"turned"}
    assert shown["here"].tolist() == [editions.conclusion_text(row, "a") for row in rows]
    assert shown["there"].tolist() == [editions.conclusion_text(row, "b") for row in rows]
    assert not shown["subject"].str.contains("_").any()
    assert other_editions.conclude(Plan(()), Evidence({}), Style({}, {})) is None


def test_subjects_of_differences_are_in_words() -> None:
    """A claim's part is told by its quantity, and a depth by the network and its training."""
    columns = ["kind", "question", "subject"]
    keys = [("claim", "A5", "accuracy"), ("depth", "trained depth", "relu, he_normal, layer_norm, sgd")]
    numbers = {f"{name}_{side}": math.nan for name in ("estimate", "low", "high", "n") for side in "ab"}
    rows = pd.DataFrame(keys, columns=columns).assign(
        edition="e", outcome="compatible", word_a="x", word_b="y", **numbers
    )
    numbers_of_outcomes = {"agrees": 0, "compatible": 2, "contradicts": 0, "open": 0}
    counts = pd.DataFrame([{"edition": "e", "about": "", "recommends": False, **numbers_of_outcomes}])
    section = Section(
        other_editions.PAGE,
        {"other_editions": counts, "edition_differences": rows},
        protocol={"quantities": other_editions.QUANTITIES},
    )
    page = render(section, {"relu": "ReLU"})
    assert page.answer.startswith("No repeat with other seeds, processors or rounding compares accuracies.")
    shown = page.displays[1].frame
    assert shown["subject"].tolist() == [
        "mean test accuracy of the article's network over seeds", "ReLU, He's initialisation, layer norm, SGD"
    ]  # fmt: skip
    assert shown["question"].tolist() == ["claim A5", "trained depth"]
