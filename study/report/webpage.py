"""Turn the report's Markdown into one HTML page.

The page has no script and loads only its own figures. All texts are escaped.
"""

import re
from collections.abc import MutableMapping, Sequence
from typing import Any

import jinja2
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape

from study.report.rendering import PAGES


def anchor(heading: str) -> str:
    """Return the address that code hosts give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def html(markdown: str) -> str:
    """Render `markdown`, the report, as a page of HTML."""
    folder = jinja2.Environment(loader=jinja2.FileSystemLoader(PAGES), autoescape=True, keep_trailing_newline=True)
    title = markdown.splitlines()[0].removeprefix("# ")
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")
    return folder.get_template("report.html").render(title=title, body=Markup(parser.render(_formulas(markdown))))


def _formulas(text: str) -> str:
    """Make a code host's formulas, $`x`$, plain code: a page without scripts sets no formulas."""
    return re.sub(r"\$`([^`]*)`\$", r"`\1`", text)


Environment = MutableMapping[str, Any]


class _Renderer(RendererHTML):
    """Render as markdown-it does, with addresses for headings, tables that scroll, and figures linked to their SVG."""

    def heading_open(self, tokens: Sequence[Token], place: int, options: Any, env: Environment) -> str:
        tokens[place].attrSet("id", anchor(_text(tokens[place + 1])))
        return self.renderToken(tokens, place, options, env)

    def table_open(self, tokens: Sequence[Token], place: int, options: Any, env: Environment) -> str:
        return '<div class="scroll" role="region" tabindex="0" aria-label="table">\n<table>\n'

    def table_close(self, tokens: Sequence[Token], place: int, options: Any, env: Environment) -> str:
        return "</table>\n</div>\n"

    def th_open(self, tokens: Sequence[Token], place: int, options: Any, env: Environment) -> str:
        return f'<th scope="col"{_kind(tokens[place])}>'

    def td_open(self, tokens: Sequence[Token], place: int, options: Any, env: Environment) -> str:
        return f"<td{_kind(tokens[place])}>"

    def image(self, tokens: Sequence[Token], place: int, options: Any, env: Environment) -> str:
        source = str(escape(tokens[place].attrs["src"]))
        name = escape(tokens[place].content.replace("_", " "))
        vector = source.removesuffix(".png") + ".svg"
        return f'<a href="{vector}"><img src="{source}" alt="{name}" loading="lazy"></a>'


def _kind(cell: Token) -> str:
    return ' class="number"' if "right" in str(cell.attrs.get("style", "")) else ""


def _text(inline: Token) -> str:
    return "".join(
        part.content for part in inline.children or () if part.type in ("text", "code_inline", "text_special")
    )
