"""Read editions of the study from results folders or from git, and say in lines of text how two of them compare."""

import io
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from study.analysis.editions import AGREES, COMPATIBLE, CONTRADICTS, TABLES, compare, conclusions
from study.errors import FolderError
from study.records.identity import STUDY
from study.records.store import Store
from study.report.formatting import interval

ROOT = STUDY.parent
COMMITTED = "the committed edition"
KEPT = "edition_"  # begins the names of the documents that hold editions
Edition = dict[str, pd.DataFrame]  # tables, by name


def read(folder: Path) -> Edition:
    """Return the tables of conclusions in a results folder; raise FolderError if it has none."""

    def content(path: str) -> bytes | None:
        return (folder / path).read_bytes() if (folder / path).is_file() else None

    return _tables(content, str(folder))


def committed() -> tuple[str, Edition]:
    """Return the name of the last commit and the tables in its results/; raise FolderError without git or tables."""
    commit = _git("rev-parse", "--short", "HEAD")
    if commit is None:
        raise FolderError(f"{ROOT} is not a git checkout with a commit; name two results folders")
    name = commit.decode().strip()
    return name, _tables(lambda path: _git("show", f"{name}:./results/{path}"), f"results/ of commit {name}")


def keep(edition: Edition, name: str, about: str, records: Path) -> None:
    """Write the conclusions of an edition as a document in the folder `records`; the report compares itself with it.

    `name` is a word; `about` says in a few words what is different there, such as its seeds or its processor.
    """
    rows = conclusions(edition)
    content = {"about": about, "conclusions": rows.astype(object).where(rows.notna(), None).to_dict("list")}
    Store(records).write_document(f"{KEPT}{name}", content, {})


def kept(documents: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield the name of each kept edition among the `documents`, what is different there, and its conclusions."""
    for name, document in documents.items():
        if name.startswith(KEPT):
            content = document["content"]
            yield name.removeprefix(KEPT), content["about"], pd.DataFrame(content["conclusions"])


def _git(*words: str) -> bytes | None:
    """Return what a git command in the project's folder prints; None if git fails or is missing."""
    try:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def _tables(content: Callable[[str], bytes | None], where: str) -> Edition:
    """Read the tables of conclusions, and raise FolderError if all are missing or one lacks a column.

    `content` returns the bytes of a file by its path in the results folder, or None. `where` names that folder.
    """
    paths = {name: f"tables/{name}.csv" for name in TABLES}
    files = {name: found for name, path in paths.items() if (found := content(path)) is not None}
    if not files:
        raise FolderError(f"{where} holds no conclusions; one of these must be there: {', '.join(paths.values())}")
    tables = {name: _table(file, f"{paths[name]} of {where}") for name, file in files.items()}
    for name, table in tables.items():
        if missing := [column for column in TABLES[name] if column not in table]:
            raise FolderError(f"{paths[name]} of {where} has no column {', '.join(missing)}; make it again")
    return tables


def _table(file: bytes, what: str) -> pd.DataFrame:
    """Read a CSV; raise FolderError, which names it `what`, if it is not a table."""
    try:
        return pd.read_csv(io.BytesIO(file))
    except ValueError as error:  # also pandas' and UnicodeDecodeError
        raise FolderError(f"{what} is not a table: {error}") from error


def summary(compared: pd.DataFrame) -> str:
    """Count the conclusions that both editions have, by outcome, and those that one alone has."""
    counts = compared["outcome"].value_counts()
    agree, compatible, contradict = (counts.get(outcome, 0) for outcome in (AGREES, COMPATIBLE, CONTRADICTS))
    both = agree + compatible + contradict
    alone = f"; {len(compared) - both} in one edition alone" if len(compared) > both else ""
    return f"{both} conclusions: {agree} agree, {compatible} compatible, {contradict} contradict{alone}"


def listed(compared: pd.DataFrame, names: tuple[str, str], everything: bool) -> Iterator[str]:
    """Yield a line per conclusion, in aligned columns, then the summary; skip agreement unless `everything`."""
    rows = compared if everything else compared[compared["outcome"] != AGREES]
    head = ("", "conclusion", *(f"{letter}: {name}" for letter, name in zip("AB", names, strict=True)))
    lines = [head, *((row["outcome"], subject(row), said(row, "a"), said(row, "b")) for row in rows.to_dict("records"))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if len(rows):
        yield from ("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    yield summary(compared)


def subject(row: Mapping[str, Any]) -> str:
    """Name the conclusion in `row` by its question and its subject, such as an activation."""
    return f"{row['question']} {row['subject']}".strip()


def said(row: Mapping[str, Any], edition: str) -> str:
    """Show the conclusion of `edition`, "a" or "b", with its numbers: accuracies in percent, differences in points."""
    word, estimate, low, high, n = (row[f"{name}_{edition}"] for name in ("word", "estimate", "low", "high", "n"))
    if word != word:
        return ""
    if row["kind"] == "depth":
        return f"{word} ({low:g} to {high:g}), n = {n:g}"
    scale = 100 if row["kind"] in ("headline", "finding") else 1
    numbers = "" if estimate != estimate else " " + interval(estimate, low, high, scale, row["kind"] == "finding")
    return f"{word}{numbers}" + ("" if n != n else f", n = {n:g}")


def in_one_line(results: Path) -> str:
    """Say in one line how a results folder compares with the committed edition."""
    try:
        commit, of_commit = committed()
        found = compare(read(results), of_commit)
    except FolderError as error:
        return f"not compared with {COMMITTED}: {error}"
    more = "; `study compare` lists them" if (found["outcome"] == CONTRADICTS).any() else ""
    return f"beside {COMMITTED} ({commit}): {summary(found)}{more}"
