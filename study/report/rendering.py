"""Render sections to Markdown through their templates.

A page is a Jinja2 Markdown file that extends `page.md` with three blocks: `title`, `answer` (the short answer, one
paragraph) and `body`. It may use

- `tables.NAME`: the rows of a table (study/report/quantities.py); `"NAME" in tables` tells whether it exists;
- `judged`: the rows of claims.csv for the parts of claims that the section judges;
- `protocol.NAME`: the settings that were asked for; `constants.NAME`: the constants of the study;
- filters for every number (study/report/filters.py), `| label` and `| names` for activations, `| code` for code;
- `{% call table("NAME") %}caption{% endcall %}` and `{% call figure("NAME") %}caption{% endcall %}`.

An undefined name is an error, and so is a number that no filter has formatted. Texts are escaped.
"""

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
SEPARATOR = "\f"  # between the blocks of page.md


@dataclass(frozen=True)
class Display:
    """Hold a table as the report shows it: its name, caption (Markdown) and ready-made texts."""

    name: str
    caption: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Picture:
    """Hold a figure as the report shows it."""

    name: str
    caption: str
    drawing: Drawing


@dataclass(frozen=True)
class Page:
    """Hold a section in Markdown, with the tables and figures that it shows, in order."""

    title: str
    answer: str
    body: str
    displays: tuple[Display, ...] = ()
    pictures: tuple[Picture, ...] = ()

    @property
    def anchor(self) -> str:
        """Return the address that code hosts give the heading: lower case, hyphens for blanks, no punctuation."""
        return anchor(self.title)


def anchor(heading: str) -> str:
    """Return the address that code hosts give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def render(section: Section, labels: Mapping[str, str]) -> Page:
    """Render a section's page; `labels` maps names of activations to their labels."""
    displays: list[Display] = []
    pictures: list[Picture] = []

    def table(name: str, caller: Callable[[], str]) -> Markup:
        displays.append(Display(name, one_line(caller()), section.shown[name]))
        return Markup(f"\n\n{shown_table(displays[-1])}\n\n")

    def figure(name: str, caller: Callable[[], str]) -> Markup:
        pictures.append(Picture(name, one_line(caller()), section.figures[name]))
        return Markup(f"\n\n![{name}](figures/{name}.png)\n\n*{pictures[-1].caption}*\n\n")

    text = (
        environment(section.page.parent, labels)
        .get_template(section.page.name)
        .render(
            tables=Tables(section.tables),
            judged=_judged(section),
            shown=section.shown,
            protocol=quantified(dict(section.protocol)),
            table=table,
            figure=figure,
            separator=Markup(SEPARATOR),
        )
    )
    title, answer, body = text.split(SEPARATOR)
    return Page(one_line(title), one_line(answer), unwrapped(body), tuple(displays), tuple(pictures))


def _judged(section: Section) -> Rows:
    found = {(judgement.claim, judgement.part) for judgement in section.judgements}
    return Rows([row for row in rows_of(claims.table(section.judgements)) if (row.claim, row.part) in found])


def environment(folder: Path, labels: Mapping[str, str]) -> jinja2.Environment:
    """Make the environment for the templates of a folder and of the report's own."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, PAGES]),
        autoescape=True,
        finalize=escaped,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )
    made.filters.update(FILTERS, code=code)
    made.filters.update(label_filters(labels))
    made.globals["constants"] = {name: quantified(value) for name, value in vars(constants).items() if name.isupper()}
    return made


def escaped(value: object) -> Markup:
    """Escape a text for Markdown; TypeError for a number that no filter has formatted."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, jinja2.Undefined):  # strict ones raise here; `x if y` without else is empty
        return Markup(str(value))
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text: a page shows numbers through filters")
    return Markup(formatting.escape_markdown(value))


def code(text: str) -> Markup:
    """Show a text as code, where Markdown knows no escapes: a backtick in it becomes an apostrophe."""
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is not text: a page shows numbers through filters")
    return Markup("`{}`").format(Markup(" ".join(text.replace("`", "'").split())))


def shown_table(display: Display) -> str:
    """Show a table in Markdown, its caption below it with a link to the LaTeX file."""
    return f"{formatting.markdown(display.frame)}\n\n*{display.caption}* ([{display.name}](tables/{display.name}.tex))"


def one_line(text: str) -> str:
    """Join the lines of a paragraph."""
    return " ".join(text.split())


def unwrapped(text: str) -> str:
    """Join the lines of each paragraph and list item; leave tables alone, and one empty line between blocks."""
    blocks = (_unwrapped_block(block) for block in re.split(r"\n\s*\n", text.strip()))
    return "\n\n".join(block for block in blocks if block)


def _unwrapped_block(block: str) -> str:
    lines: list[str] = []
    for line in block.splitlines():
        starts = line.lstrip().startswith(("|", "- ", "#", "<"))
        if line.strip():
            lines = [*lines, line.strip()] if starts or not lines else [*lines[:-1], f"{lines[-1]} {line.strip()}"]
    return "\n".join(lines)
