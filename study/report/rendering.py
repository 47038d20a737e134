"""Render sections to Markdown through their templates.

The template of a page is a Jinja2 Markdown file. It extends `page.md` with three blocks: `title`, `answer` (the short
answer, one paragraph) and `body`. It may use

- `tables.NAME`: the rows of a table (study/report/quantities.py); `"NAME" in tables` tells whether it exists;
- `judged`: the rows of claims.csv for the parts of claims that the section judges;
- `protocol.NAME`: the values in the section's protocol; `constants.NAME`: the constants of the study;
- filters for every number (study/report/filters.py), `| label` and `| names` for activations, `| code` for code;
- `{% call table("NAME") %}rows in Markdown, then the caption{% endcall %}`: a table, also for tables/NAME.tex;
- `{% call figure("NAME") %}caption{% endcall %}`: a figure of the section; `"NAME" in figures` tells whether it exists;
- `{% call details("Summary") %}text{% endcall %}`: a text that readers unfold by its summary;
- `link("NAME", "text")`: a link to the page of another question, or the text alone if the report has no such page;
- `up`: the path from the page's folder to results/, "" or "../".

An undefined name is an error, and so is a number that no filter has formatted. Texts are escaped.

A template NAME.ja.md extends NAME.md and has the title and the answer in Japanese, for README.ja.md.
"""

import functools
import html
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup

from study import constants
from study.analysis import claims
from study.figures.drawing import Drawing
from study.report import formatting
from study.report.filters import FILTERS, label_filters
from study.report.quantities import Rows, Tables, quantified, rows_of
from study.report.section import Section

PAGES = Path(__file__).with_name("pages")
JAPANESE = r"\u3000-\u9fff\uff00-\uffef"  # ranges in a regular expression: characters beside which no blank stands
BLOCK_SEPARATOR = "\f"  # between title, answer and body in the text that page.md renders


@dataclass(frozen=True)
class Display:
    """Hold a table as a page shows it: its name, its caption in Markdown, and its cells as plain texts or Formulas."""

    name: str
    caption: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Picture:
    """Hold a figure as a page shows it: its name, its caption in Markdown, and its drawing."""

    name: str
    caption: str
    drawing: Drawing


@dataclass(frozen=True)
class Page:
    """Hold a rendered section in Markdown, the name of its template without .md, and what its body shows, in order."""

    name: str
    title: str
    answer: str
    body: str
    displays: tuple[Display, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Place:
    """Say where a rendered page belongs.

    `folder` is its folder below results/, "" for results/ itself. `questions` holds the names of the pages under
    questions/, to which it may link. `language` is "" for English, or "ja".
    """

    folder: str = ""
    questions: tuple[str, ...] = ()
    language: str = ""

    def link_to(self, path: str) -> str:
        """Return the link from this place to a file, given by its `path` in results/."""
        return posixpath.relpath(path, self.folder or ".")

    @property
    def ending(self) -> str:
        """Return how the file names of templates and pages in this language end: ".md" or ".ja.md"."""
        return f".{self.language}.md" if self.language else ".md"


RESULTS = Place()  # results/ itself, in English, without links to questions


def render(section: Section, labels: Mapping[str, str], place: Place = RESULTS) -> Page:
    """Return the page of `section` as it reads in `place`; `labels` maps names of activations to their labels.

    Raise TypeError if the template shows a number without a filter, and jinja2.UndefinedError if it uses an undefined
    name. Raise ValueError as `split_table` does.
    """
    displays: list[Display] = []
    pictures: list[Picture] = []

    def table(name: str, caller: Callable[[], str]) -> Markup:
        displays.append(Display(name, *split_table(name, caller())))
        caption, frame = displays[-1].caption, displays[-1].frame
        link = f"([{name}]({place.link_to(f'tables/{name}.tex')}))"
        return Markup(f"\n\n{formatting.markdown(frame)}\n\n*{caption}* {link}\n\n")

    def figure(name: str, caller: Callable[[], str]) -> Markup:
        pictures.append(Picture(name, joined_lines(caller()), section.figures[name]))
        return Markup(f"\n\n![{name}]({place.link_to(f'figures/{name}.png')})\n\n*{pictures[-1].caption}*\n\n")

    name = section.page.stem
    template = environment(section.page.parent, tuple(labels.items()), place).get_template(name + place.ending)
    text = template.render(
        tables=Tables(section.tables),
        judged=_judged_rows(section),
        figures=section.figures,
        protocol=quantified(section.protocol),
        table=table,
        figure=figure,
        separator=Markup(BLOCK_SEPARATOR),
    )
    title, answer, body = text.split(BLOCK_SEPARATOR)
    return Page(name, joined_lines(title), joined_lines(answer), unwrapped(body), tuple(displays), tuple(pictures))


def _judged_rows(section: Section) -> Rows:
    """Return the rows of the result of `claims.claims_table` on the parts that `section` judges."""
    found = {(judgement.claim, judgement.part) for judgement in section.judgements}
    rows = rows_of(claims.claims_table(section.judgements)) if found else Rows()
    return Rows(row for row in rows if (row.claim, row.part) in found)


@functools.lru_cache(maxsize=16)  # pages share macros; to compile these for each page takes a tenth of the time
def environment(folder: Path, labels: tuple[tuple[str, str], ...], place: Place) -> jinja2.Environment:
    """Return the Jinja2 environment in which pages are rendered, with all their filters and globals.

    Templates are looked up in `folder`, then in PAGES. `labels` are pairs of name and label.
    """
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, PAGES]),
        autoescape=True,
        finalize=jinja2.pass_context(lambda context, value: escaped(value)),  # with a context, so that it runs when a
        # page is rendered: at compile time, Jinja2 would escape a constant such as `"relu" | label` for HTML alone
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )
    made.filters.update(FILTERS, code=code, formula=lambda text: Markup(formatting.markdown_formula(text)))
    made.filters.update(label_filters(dict(labels), place.language))
    made.globals["constants"] = {name: quantified(value) for name, value in vars(constants).items() if name.isupper()}

    def link(name: str, text: str) -> Markup:
        address = place.link_to(f"questions/{name}.md")
        return Markup(f"[{escaped(text)}]({address})") if name in place.questions else escaped(text)

    made.globals |= {"details": details, "link": link, "up": Markup("../" if place.folder else "")}
    return made


def escaped(value: object) -> Markup:
    """Return the text `value` escaped for Markdown; Markup stays as it is.

    Raise jinja2.UndefinedError for an undefined name, and TypeError for another value, such as a number without filter.
    """
    if isinstance(value, Markup):
        return value
    if isinstance(value, jinja2.Undefined):  # strict ones raise here; `x if y` without else is empty
        return Markup(str(value))
    return Markup(formatting.escape_markdown(_checked_text(value)))


def _checked_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text: a page shows numbers through filters")
    return value


def code(text: str) -> Markup:
    """Return `text` as code on one line; backticks, which code cannot escape, become apostrophes.

    Raise TypeError if `text` is not a str.
    """
    return Markup("`" + " ".join(_checked_text(text).replace("`", "'").split()) + "`")


def details(summary: str, caller: Callable[[], str]) -> Markup:
    """Return an HTML element that readers unfold by its `summary`; `caller` returns the Markdown in it."""
    return Markup(f"\n\n<details>\n<summary>{escaped(summary)}</summary>\n\n{caller()}\n\n</details>\n\n")


def split_table(name: str, text: str) -> tuple[str, pd.DataFrame]:
    """Return the caption of a table, as one line of Markdown, and its cells, as plain texts or Formulas.

    `text` holds rows in Markdown, the first with the column names, and then the caption. Raise ValueError, which names
    the table `name`, if a row has another number of cells than the first.
    """
    lines = [line.strip() for line in text.splitlines()]
    header, *rows = [_cells(line) for line in lines if line.startswith("|")]
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"table {name!r}: a row has {len(row)} cells, its header {len(header)}: {row}")
    frame = pd.DataFrame(rows, columns=pd.Index(header, dtype=object), dtype=object)
    return joined_lines("\n".join(line for line in lines if not line.startswith("|"))), frame


def _cells(line: str) -> list[str]:
    """Return the cells of `line`, a table's row in Markdown: Formulas for cells between $` and `$, else plain texts."""
    found = (cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:].removesuffix("|")))
    return [formatting.Formula(cell[2:-2]) if cell.startswith("$`") else plain_text(cell) for cell in found]


def plain_text(cell: str) -> str:
    """Return the plain text that a `cell` in Markdown shows; this undoes formatting.escape_markdown."""
    return html.unescape(re.sub(r"\\([\\`*_\[\]|$#!~])", r"\1", cell))


def joined_lines(text: str) -> str:
    """Return `text` on one line: one space between words, none beside a Japanese character, except after a hyphen."""
    return re.sub(rf"(?<=[{JAPANESE}]) (?=\S)|(?<=[^\s-]) (?=[{JAPANESE}])", "", " ".join(text.split()))


def unwrapped(text: str) -> str:
    """Return the Markdown `text` with each paragraph, list item, table row and heading on one line of its own."""
    found = []
    for block in re.split(r"\n\s*\n", text.strip()):
        parts = (part.strip() for part in re.split(r"\n(?=\s*(?:\||- |#|<))", block))
        found.append("\n".join(joined_lines(part) if "\n" in part else part for part in parts))
    return "\n\n".join(found)
