"""Join rendered pages into the report: README.md, which opens it, and a page for each question."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from markupsafe import Markup

from study.analysis import claims
from study.constants import CONFIDENCE
from study.report.rendering import PAGES, Page, Place, environment, render, unwrapped
from study.report.section import Section

QUESTIONS = "questions"  # the folder of the questions' pages
TRANSLATED = ("ja",)  # languages that the opening and the short answers exist in, besides English


@dataclass(frozen=True)
class Report:
    """Hold the report: its files in Markdown by path, the pages they were made of, and every table by name.

    `opening` is the Markdown of what the report opens with, for another page to open with.
    """

    files: Mapping[str, str]
    pages: tuple[Page, ...]
    tables: Mapping[str, pd.DataFrame]
    opening: str


def compose(
    sections: Sequence[Section], making: Mapping[str, object], missing: Sequence[str], labels: Mapping[str, str]
) -> Report:
    """Render every section, and join them: the leading ones into README.md, each other one into a page of its own.

    `making` says how the report was made (pages/making.md shows it). `missing` holds a sentence for each run that
    failed. `labels` maps names of activations to their labels.
    """
    sections = [*sections, claims_section(sections), *appendices(making)]
    questions = [section.page.stem for section in sections if not section.leads]
    readme = Place("", questions)
    leading = [render(section, labels, readme) for section in sections if section.leads]
    rest = [render(section, labels, Place(QUESTIONS, questions)) for section in sections if not section.leads]
    appendix = {section.page.stem for section in sections if section.is_appendix}
    files = {"README.md": _joined("report.md", readme, labels, leading, rest, appendix, missing)}
    files |= {f"{QUESTIONS}/{page.name}.md": _question(page, labels) for page in rest}
    opening = _joined("opening.md", readme, labels, leading, rest, appendix, missing)
    for language in TRANSLATED:
        place = replace(readme, language=language)
        pages = {True: [], False: []}
        for section in sections:
            if _exists(section, language):
                pages[section.leads].append(render(section, labels, place))
        files[f"README.{language}.md"] = _joined(
            f"report.{language}.md", place, labels, pages[True], pages[False], appendix, missing
        )
    return Report(files, (*leading, *rest), joined(sections), opening)


def appendices(making: Mapping[str, object]) -> list[Section]:
    """Return the sections that no experiment makes."""
    return [
        Section(PAGES / "words.md", is_appendix=True),
        Section(PAGES / "editions.md", is_appendix=True),
        Section(PAGES / "making.md", protocol=making, is_appendix=True),
    ]


def _exists(section: Section, language: str) -> bool:
    return section.page.with_suffix(f".{language}.md").exists()


def _joined(
    template: str,
    place: Place,
    labels: Mapping[str, str],
    leading: Sequence[Page],
    rest: Sequence[Page],
    appendix: set[str],
    missing: Sequence[str],
) -> str:
    text = (
        environment(PAGES, labels, place)
        .get_template(template)
        .render(
            leading=[_marked_up(page) for page in leading],
            following=[_marked_up(page) for page in rest if page.name not in appendix],
            appendices=[_marked_up(page) for page in rest if page.name in appendix],
            missing=missing,
        )
    )
    return unwrapped(text) + "\n"


def _question(page: Page, labels: Mapping[str, str]) -> str:
    template = environment(PAGES, labels, Place(QUESTIONS)).get_template("question.md")
    return unwrapped(template.render(page=_marked_up(page))) + "\n"


def _marked_up(page: Page) -> dict[str, str]:
    return {"name": page.name} | {part: Markup(getattr(page, part)) for part in ("title", "answer", "body")}


def claims_section(sections: Sequence[Section]) -> Section:
    """Make the section on the published claims: each verdict, then the measurement of each part."""
    table = claims.table([judgement for section in sections for judgement in section.judgements])
    judged = (*claims.JUDGED, claims.NOT_REACHED)
    seen = {
        judgement.claim
        for section in sections
        if "long_protocols" in section.tables and section.tables["long_protocols"]["first"].min() < claims.CHANGED_ON
        for judgement in section.judgements
    }
    protocol = {
        "verdicts": claims.VERDICTS,
        "differs": claims.DIFFERS,
        "changed": claims.CHANGED,
        "seen": [claim for claim in claims.CHANGED if claim in seen],
        "judged": judged,
        "expected_misses": (1 - CONFIDENCE) * int(table["verdict"].isin(judged).sum()),
    }
    return Section(PAGES / "claims.md", {"claims": table}, protocol=protocol)


def joined(sections: Sequence[Section]) -> dict[str, pd.DataFrame]:
    """Return the report's tables by name; tables of one name are concatenated."""
    names = dict.fromkeys(name for section in sections for name in section.tables)
    return {
        name: pd.concat([s.tables[name] for s in sections if name in s.tables], ignore_index=True) for name in names
    }


def words(text: str) -> int:
    """Count the words of a text in Markdown as a reader does: links by their text, an interval as one word."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    plain = re.sub(r"\\\[[^\]]*\\\]", "", plain)
    return len([word for word in plain.split() if re.search(r"\w", word)])
