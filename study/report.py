"""Sections + facts -> results/README.md with tables and figures; the old report is whole until the new one is."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from study import tables
from study.experiment import Display, Picture, Section
from study.files import FolderError, prepare_folder, write_atomically
from study.pictures import encode

PARTS = ("tables", "figures")
QUESTION = "Which activation function should the hidden layers use, how sure is that, and what does it cost?"
CAVEATS = (
    "one data set (MNIST), fully connected networks and one machine's arithmetic",
    "every activation runs under Keras' default initialisation and one learning rate, unless a section varies them",
    "the intervals are over seeds (split, batch order, initial weights) for this one test set; they say nothing of new "
    "digits: a single accuracy of 98% on 10,000 images has a binomial standard error of 0.14 points of its own",
)


@dataclass(frozen=True)
class Facts:
    """How the report was made: the command, package versions, CPU, and the runs' time."""

    command: str
    environments: Sequence[dict[str, str]]
    runs: int
    failed: Sequence[str]
    compute_seconds: float
    wall_seconds: float
    last_run: str
    data_checksums: Sequence[str]


def write(folder: Path, sections: Sequence[Section], facts: Facts) -> None:
    """Write tables/, figures/ and README.md into the folder, replacing what an earlier report left in them.

    Everything is written beside first; what then happens to the old report are renames alone.
    """
    prepare_folder(folder)
    try:
        _write_beside(folder / ".fresh", sections, facts)
        _exchange(folder)
    except OSError as error:
        raise FolderError(f"cannot write {error.filename or folder}: {error.strerror or error}") from error


def _write_beside(fresh: Path, sections: Sequence[Section], facts: Facts) -> None:
    shutil.rmtree(fresh, ignore_errors=True)
    for part in PARTS:
        (fresh / part).mkdir(parents=True)
    for name, frame in _joined(sections).items():
        write_atomically(fresh / "tables" / f"{name}.csv", tables.csv(frame))
    for picture in (block for section in sections for block in section.blocks if isinstance(block, Picture)):
        for extension in ("svg", "png"):
            content = encode(picture.figure, extension)
            write_atomically(fresh / "figures" / f"{picture.name}.{extension}", content)
    write_atomically(fresh / "README.md", render(sections, facts).encode())


def _exchange(folder: Path) -> None:
    """Put what is in .fresh in the old report's place."""
    fresh, old = folder / ".fresh", folder / ".old"
    shutil.rmtree(old, ignore_errors=True)
    old.mkdir()
    for part in PARTS:
        if (folder / part).exists():
            (folder / part).replace(old / part)
        (fresh / part).replace(folder / part)
    (fresh / "README.md").replace(folder / "README.md")
    shutil.rmtree(old)
    shutil.rmtree(fresh)


def _joined(sections: Sequence[Section]) -> dict[str, pd.DataFrame]:
    """Tables of the same name, one below the other."""
    names = dict.fromkeys(name for section in sections for name in section.tables)
    return {
        name: pd.concat([s.tables[name] for s in sections if name in s.tables], ignore_index=True) for name in names
    }


def render(sections: Sequence[Section], facts: Facts) -> str:
    """The report as Markdown."""
    parts = ["# Activation functions, compared", f"**{QUESTION}**"]
    parts += [section.answer for section in sections if section.answer]
    if facts.failed:
        parts.append(
            "**Some runs failed and are missing below:**\n\n"
            + "\n".join(f"- {tables.escape_markdown(line)}" for line in facts.failed)
        )
    for section in sections:
        parts.append(f"## {section.title}")
        parts += [_block(block) for block in section.blocks if block != ""]
    parts += ["## What this does not say", "\n".join(f"- {caveat}" for caveat in CAVEATS)]
    parts += ["## How it was made", _making(facts)]
    return "\n\n".join(parts) + "\n"


def _block(block: str | Display | Picture) -> str:
    if isinstance(block, Display):
        return f"{tables.markdown(block.frame)}\n\n*{block.caption}*"
    if isinstance(block, Picture):
        return f"![{block.name}](figures/{block.name}.png)\n\n*{block.caption}*"
    return block


def _making(facts: Facts) -> str:
    environments = [", ".join(f"{name} {version}" for name, version in found.items()) for found in facts.environments]
    lines = [
        f"`{facts.command}`; {facts.runs} runs, {facts.compute_seconds / 60:.1f} minutes of one core in training and "
        f"measuring, {facts.wall_seconds / 60:.1f} minutes from start to end of the runs; the last run ended "
        f"{facts.last_run}.",
        *(f"Made with {tables.escape_markdown(line)}." for line in environments),
        f"Data: MNIST (LeCun, Cortes & Burges), SHA-256 of the arrays `{', '.join(facts.data_checksums)}`.",
        "Every number above comes from [tables/](tables), each of those from the records of runs in `runs/`, which "
        "are not committed: `make all` makes them again. Figures are there as SVG too, in [figures/](figures).",
    ]
    return "\n\n".join(lines)
