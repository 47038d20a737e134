"""Sections + facts -> the report as a list of blocks, and these as Markdown. `webpage` makes HTML of the same list."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from study.analysis import claims
from study.report import formatting, glossary
from study.report.section import Display, Picture, Section

TITLE = "Activation functions, compared"
QUESTION = "Which activation function should the hidden layers use, how sure is that, and what does it cost?"
CONTENTS = "Contents, with the short answers"
CAVEATS = (
    "one data set (MNIST), fully connected networks and one machine's arithmetic",
    "every activation runs under Keras' default initialisation and one learning rate, unless a section varies them",
    "the intervals are over seeds (split, batch order, initial weights) for this one test set; they say nothing of new "
    "digits: a single accuracy of 98% on 10,000 images has a binomial standard error of 0.14 points of its own",
)


@dataclass(frozen=True)
class Heading:
    """The heading of a section, which the contents link to."""

    text: str

    @property
    def anchor(self) -> str:
        """The address that code hosts give a heading: lower case, hyphens for blanks, no punctuation."""
        return re.sub(r"[^\w\- ]", "", self.text.lower()).replace(" ", "-")


Block = str | Display | Picture | Heading


@dataclass(frozen=True)
class Facts:
    """How the report was made: the command, package versions, CPU, and the runs' time, that of compiling included."""

    command: str
    environments: Sequence[dict[str, str]]
    runs: int
    failed: Sequence[str]
    compute_seconds: float
    compile_seconds: float
    wall_seconds: float
    last_run: str
    data_checksums: Sequence[str]


def compose(sections: Sequence[Section], facts: Facts) -> list[Block]:
    """The report from its first line to its last: what leads, the short answers, the claims, then every section."""
    leading = [section for section in sections if section.leads]
    following = [claims_section(sections), *(section for section in sections if not section.leads)]
    following += [
        Section(glossary.TITLE, "", [glossary.listed()]),
        Section("What this does not say", "", ["\n".join(f"- {caveat}" for caveat in CAVEATS)]),
        Section("How it was made", "", _making(facts)),
    ]
    blocks: list[Block] = [f"**{QUESTION}**", _failures(facts.failed)]
    for section in leading:
        blocks += [Heading(section.title), section.answer, *section.blocks]
    blocks += [Heading(CONTENTS), "\n".join(_short(section) for section in following)]
    for section in following:
        blocks += [Heading(section.title), *section.blocks]
    return [block for block in _named(blocks) if block != ""]


def _short(section: Section) -> str:
    link = f"- [{section.title}](#{Heading(section.title).anchor})"
    return f"{link}: {section.answer}" if section.answer else link


def _named(blocks: Sequence[Block]) -> list[Block]:
    """Every display with a name of its own: its section's title and a number where it has none."""
    named: list[Block] = []
    title, taken = "table", set[str]()
    for block in blocks:
        if isinstance(block, Heading):
            title = re.sub(r"\W+", "_", block.text.partition(":")[0].lower()).strip("_")
        if isinstance(block, Display):
            wanted = [block.name] if block.name else []
            numbered = (f"{block.name or title}_{number}" for number in range(1 + bool(block.name), len(blocks) + 2))
            name = next(name for name in (*wanted, *numbered) if name not in taken)
            taken.add(name)
            block = replace(block, name=name)
        named.append(block)
    return named


def claims_section(sections: Sequence[Section]) -> Section:
    """Every published claim: its verdict, then what was measured of each part; and claims.csv."""
    table = claims.table([judgement for section in sections for judgement in section.judgements])
    as_a_whole = table.drop_duplicates("claim")
    counts = as_a_whole["claim_verdict"].value_counts().to_dict()
    found = [f"{counts[verdict]} {verdict}" for verdict in claims.VERDICTS if verdict in counts]
    answer = f"Of {len(as_a_whole)} claims, {', '.join(found)}"
    blocks: list[str | Display | Picture] = [
        claims.RULE,
        Display("Each claim and its verdict as a whole.", _shown_claims(as_a_whole), "claims"),
        Display(
            "What was measured of each claim's parts, with 95% intervals and n. Remarks say what was scaled down, or "
            "what to type for a part that was not run; protocols are in tables/claims.csv.",
            _shown_parts(table),
            "claims_parts",
        ),
    ]
    return Section("Published claims", f"{answer}.", blocks, {"claims": table})


def _shown_claims(table: pd.DataFrame) -> pd.DataFrame:
    columns = {"claim": "Claim", "statement": "what it says", "source": "source", "claim_verdict": "verdict"}
    return table[list(columns)].rename(columns=columns)


def _shown_parts(table: pd.DataFrame) -> pd.DataFrame:
    measured = [
        formatting.interval(*bounds) for bounds in table[["measured", "ci_low", "ci_high"]].itertuples(index=False)
    ]
    return pd.DataFrame(
        {
            "Claim": table["claim"],
            "what is measured": table["quantity"],
            "expected": table["expected"],
            "measured": measured,
            "n": table["n"],
            "verdict": table["verdict"],
            "remark": table["remark"],
        }
    )


def joined(sections: Sequence[Section]) -> dict[str, pd.DataFrame]:
    """The report's tables by name: those of one name one below the other, and the claims'."""
    every = [*sections, claims_section(sections)]
    names = dict.fromkeys(name for section in every for name in section.tables)
    return {name: pd.concat([s.tables[name] for s in every if name in s.tables], ignore_index=True) for name in names}


def markdown(blocks: Sequence[Block]) -> str:
    """The report as Markdown."""
    return "\n\n".join([f"# {TITLE}", *map(_markdown, blocks)]) + "\n"


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"## {block.text}"
    if isinstance(block, Display):
        return f"{formatting.markdown(block.frame)}\n\n*{block.caption}* ([{block.name}](tables/{block.name}.tex))"
    if isinstance(block, Picture):
        return f"![{block.name}](figures/{block.name}.png)\n\n*{block.caption}*"
    return block


def _failures(failed: Sequence[str]) -> str:
    lines = "\n".join(f"- {formatting.escape_markdown(line)}" for line in failed)
    return f"**Some runs failed and are missing below:**\n\n{lines}" if failed else ""


def _making(facts: Facts) -> list[str]:
    environments = [", ".join(f"{name} {version}" for name, version in found.items()) for found in facts.environments]
    return [
        f"`{facts.command}`; {facts.runs} runs, {facts.compute_seconds / 60:.1f} minutes of one core in training and "
        f"measuring, {facts.compile_seconds / 60:.1f} of them compiling; {facts.wall_seconds / 60:.1f} minutes from "
        f"start to end of the runs; the last run ended {facts.last_run}.",
        *(f"Made with {formatting.escape_markdown(line)}." for line in environments),
        f"Data: MNIST (LeCun, Cortes & Burges), SHA-256 of the arrays `{', '.join(facts.data_checksums)}`.",
        "Every number above comes from [tables/](tables), whose columns [COLUMNS.md](tables/COLUMNS.md) explains, each "
        "of those from the records of runs in `runs/`, which are not committed: `make all` makes them again. The "
        "tables shown are there as Markdown and LaTeX too, and the figures as SVG in [figures/](figures). "
        "[report.html](report.html) is this page for a browser.",
    ]
