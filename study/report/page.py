"""Join rendered sections into the report's Markdown files: README.md, which opens it, and a page for each question."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jinja2
import pandas as pd
from markupsafe import Markup

from study.analysis import claims
from study.constants import CONFIDENCE
from study.report.rendering import PAGES, Page, Place, environment, render, unwrapped
from study.report.section import Section

QUESTIONS_FOLDER = "questions"  # in results/; it holds the questions' pages
LANGUAGES = ("", "ja")  # of the opening and the short answers: English and Japanese


@dataclass(frozen=True)
class Report:
    """Hold the report before it is written to a results folder.

    `files` holds Markdown texts by path in that folder, `pages` all rendered sections in order, and `tables` every
    table by name. `opening` is the Markdown with which report.html opens: the leading pages, without folded parts.
    """

    files: Mapping[str, str]
    pages: tuple[Page, ...]
    tables: Mapping[str, pd.DataFrame]
    opening: str


def compose(
    sections: Sequence[Section], making: Mapping[str, object], missing: Sequence[str], labels: Mapping[str, str]
) -> Report:
    """Render every section into the report: the leading ones into README.md, each other one into a page of its own.

    `claims_section` and the `appendices` follow `sections`. README.ja.md is the same as README.md in Japanese, of the
    pages that are translated. `making` is the result of `making.making`. `missing` holds sentences on what is missing,
    which both files list at the top. `labels` maps names of activations to their labels.
    """
    sections = [*sections, claims_section(sections), *appendices(making)]
    names = tuple(section.page.stem for section in sections if not section.is_opening)
    english, japanese = (Place("", names, language) for language in LANGUAGES)
    own_page = Place(QUESTIONS_FOLDER, names)
    made = [(each, render(each, labels, english if each.is_opening else own_page)) for each in sections]
    translated = [each for each in sections if each.page.with_suffix(japanese.ending).exists()]
    in_japanese = [(each, render(each, labels, japanese)) for each in translated]

    def template(name: str, place: Place) -> jinja2.Template:
        return environment(PAGES, tuple(labels.items()), place).get_template(name)

    files = {
        "README.md": _joined_pages(template("report.md", english), made, missing),
        "README.ja.md": _joined_pages(template("report.ja.md", japanese), in_japanese, missing),
    }
    for section, page in made:
        if not section.is_opening:
            text = template("question.md", own_page).render(page=_marked_up(page))
            files[f"{QUESTIONS_FOLDER}/{page.name}.md"] = unwrapped(text) + "\n"
    opening = _joined_pages(template("opening.md", english), made, missing)
    unfolded = re.sub("<details>.*?</details>\n*", "", opening, flags=re.DOTALL)
    return Report(files, tuple(page for _, page in made), joined_tables(sections), unfolded)


def appendices(making: Mapping[str, object]) -> list[Section]:
    """Return the report's last sections, on words, editions and `making`, the result of `making.making`."""
    return [
        Section(PAGES / "words.md", is_appendix=True),
        Section(PAGES / "editions.md", is_appendix=True),
        Section(PAGES / "making.md", protocol=making, is_appendix=True),
    ]


def _joined_pages(template: jinja2.Template, made: Sequence[tuple[Section, Page]], missing: Sequence[str]) -> str:
    """Return the Markdown of `template`, report.md or opening.md or a translation, for pairs of a section and its page.

    It lists `missing` at the top, and shows the leading pages whole; report.md also lists the answers of the others.
    """
    shown: dict[str, list[dict[str, str]]] = {"leading": [], "following": [], "appendices": []}
    for section, page in made:
        kind = "leading" if section.is_opening else "appendices" if section.is_appendix else "following"
        shown[kind].append(_marked_up(page))
    return unwrapped(template.render(shown, missing=missing)) + "\n"


def _marked_up(page: Page) -> dict[str, str]:
    return {part: Markup(getattr(page, part)) for part in ("name", "title", "answer", "body")}


def claims_section(sections: Sequence[Section]) -> Section:
    """Return the section on the published claims, with the table `claims` (claims.csv) of all sections' judgements.

    In its protocol, `changed` lists the claims whose measurements were changed after numbers had been seen. `seen` are
    those judged by runs before that. `expected_misses` is how many intervals should miss the true value by chance.
    """
    table = claims.claims_table([judgement for section in sections for judgement in section.judgements])
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


def joined_tables(sections: Sequence[Section]) -> dict[str, pd.DataFrame]:
    """Return the tables of all `sections` by name; tables of the same name are concatenated in the sections' order."""
    parts: dict[str, list[pd.DataFrame]] = {}
    for section in sections:
        for name, table in section.tables.items():
            parts.setdefault(name, []).append(table)
    return {name: pd.concat(found, ignore_index=True) for name, found in parts.items()}
