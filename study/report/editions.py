"""Read editions of the study from results folders or from git, and list as text how two editions compare.

Here an edition, one set of results, is its tables of conclusions: those named in analysis.editions.TABLES.
"""

import io
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from study.analysis.editions import AGREES, COMPATIBLE, CONTRADICTS, TABLES, compare, conclusions
from study.errors import FolderError, UsageError
from study.records.files import prepare_folder
from study.records.identity import STUDY
from study.records.store import Store
from study.report.formatting import interval

ROOT = STUDY.parent
COMMITTED_NAME = "the committed edition"  # in messages
DOCUMENT_PREFIX = "edition_"  # of the names of documents that hold an edition's conclusions
Edition = dict[str, pd.DataFrame]  # the tables of conclusions by name


def read(folder: Path) -> Edition:
    """Return the tables of conclusions in a results folder, by name; leave out those that do not exist.

    Raise FolderError if none exists, or if one is not a CSV file with the columns that TABLES requires.
    """
    return _tables(lambda path: (folder / path).read_bytes() if (folder / path).is_file() else None, str(folder))


def read_committed() -> tuple[str, Edition]:
    """Return the abbreviated hash of the last commit, and the tables of conclusions in its results/ by name.

    Raise FolderError if git is missing or has no commit, or if the tables are not as `read` requires.
    """
    commit = _git("rev-parse", "--short", "HEAD")
    if commit is None:
        raise FolderError(f"{ROOT} is not a git checkout with a commit; name two results folders")
    name = commit.decode().strip()
    return name, _tables(lambda path: _git("show", f"{name}:./results/{path}"), f"results/ of commit {name}")


def keep(edition: Edition, name: str, about: str, records: Path) -> None:
    """Write the conclusions of `edition` as the document edition_`name` in the folder `records`; the report reads it.

    `about` says in a few words how that edition differs, such as by its seeds or its processor. Raise UsageError for a
    `name` that is not of letters, digits, - and _, and FolderError if the folder cannot be made.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise UsageError([f"--keep is {name!r}; it must be of letters, digits, - and _"])
    prepare_folder(records)
    rows = conclusions(edition)
    content = {"about": about, "conclusions": rows.astype(object).where(rows.notna(), None).to_dict("list")}
    Store(records).write_document(f"{DOCUMENT_PREFIX}{name}", content, {})


def kept_editions(documents: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield the name, the text `about` and the conclusions of each edition that `keep` wrote, among all `documents`."""
    for name, document in documents.items():
        if name.startswith(DOCUMENT_PREFIX):
            content = document["content"]
            yield name.removeprefix(DOCUMENT_PREFIX), content["about"], pd.DataFrame(content["conclusions"])


def _git(*words: str) -> bytes | None:
    """Return the output of the git command `words`, run in the repository; None if git fails or is missing."""
    try:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def _tables(content: Callable[[str], bytes | None], folder_name: str) -> Edition:
    """Do the work of `read` for the results folder that messages call `folder_name`.

    `content` returns the bytes of a file by its path in that folder, or None if the file does not exist.
    """
    tables = {}
    paths = {name: f"tables/{name}.csv" for name in TABLES}
    for name, path in paths.items():
        if (file := content(path)) is None:
            continue
        try:
            tables[name] = pd.read_csv(io.BytesIO(file))
        except ValueError as error:  # also pandas' and UnicodeDecodeError
            raise FolderError(f"{path} of {folder_name} is not a table: {error}") from error
        if missing := [column for column in TABLES[name] if column not in tables[name]]:
            raise FolderError(f"{path} of {folder_name} has no column {', '.join(missing)}; make it again")
    if not tables:
        wanted = ", ".join(paths.values())
        raise FolderError(f"{folder_name} holds no conclusions; one of these must be there: {wanted}")
    return tables


def outcome_counts(compared: pd.DataFrame) -> str:
    """Return how many conclusions of `compared` agree and so on, as "9 conclusions: 8 agree, 1 compatible, ...".

    `compared` is the result of analysis.editions.compare. Conclusions that one edition alone has are counted apart.
    """
    counts = compared["outcome"].value_counts()
    agree, compatible, contradict = (counts.get(outcome, 0) for outcome in (AGREES, COMPATIBLE, CONTRADICTS))
    both = agree + compatible + contradict
    alone = f"; {len(compared) - both} in one edition alone" if len(compared) > both else ""
    return f"{both} conclusions: {agree} agree, {compatible} compatible, {contradict} contradict{alone}"


def comparison_lines(compared: pd.DataFrame, names: tuple[str, str], everything: bool) -> Iterator[str]:
    """Yield a heading, a line for each conclusion in aligned columns, and last the line of `outcome_counts`.

    `compared` is the result of analysis.editions.compare, and `names` are the names of editions A and B. Conclusions
    that agree are left out unless `everything` is True. The heading is left out if no conclusion is listed.
    """
    rows = compared if everything else compared[compared["outcome"] != AGREES]
    head = ("", "conclusion", f"A: {names[0]}", f"B: {names[1]}")
    lines = [head]
    for row in rows.to_dict("records"):
        about = f"{row['question']} {row['subject']}".strip()
        lines.append((row["outcome"], about, conclusion_text(row, "a"), conclusion_text(row, "b")))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if len(rows):
        yield from ("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    yield outcome_counts(compared)


def conclusion_text(row: Mapping[str, Any], edition: str) -> str:
    """Return what `edition`, "a" or "b", concludes in `row`, as "better +0.25 [+0.17, +0.34], n = 40".

    `row` is from analysis.editions.compare. A headline's accuracy is in percent, a finding's difference in points; a
    cost is a ratio, and a claim's measurement has its own unit. A depth is shown as its median and its range,
    "7 (5 to 9), n = 5". The text is empty if the edition lacks the conclusion.
    """
    word, estimate, low, high, n = (row[f"{name}_{edition}"] for name in ("word", "estimate", "low", "high", "n"))
    if word != word:
        return ""
    if row["kind"] == "depth":
        return f"{word} ({low:g} to {high:g}), n = {n:g}"
    scale = 100 if row["kind"] in ("headline", "finding") else 1
    numbers = "" if estimate != estimate else " " + interval(estimate, low, high, scale, row["kind"] == "finding")
    return f"{word}{numbers}" + ("" if n != n else f", n = {n:g}")


def comparison_in_one_line(results: Path) -> str:
    """Return a line with the counts of conclusions in `results` beside the committed edition, or why there are none."""
    try:
        commit, of_commit = read_committed()
        found = compare(read(results), of_commit)
    except FolderError as error:
        return f"not compared with {COMMITTED_NAME}: {error}"
    more = "; `study compare` lists them" if (found["outcome"] == CONTRADICTS).any() else ""
    return f"beside {COMMITTED_NAME} ({commit}): {outcome_counts(found)}{more}"
