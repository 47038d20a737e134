"""Put report.html together: the opening as HTML, the tables as JSON, scripts, and a policy that allows these alone."""

import base64
import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import vl_convert
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape

from study.figures.style import Style
from study.report import rendering
from study.report.explorer import data

FOLDER = Path(__file__).parent
VEGA_EXPORT = "window.vegaEmbed = vegaEmbed;"  # JavaScript that gives the page's own script access to Vega-Embed
MIME_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}  # by extension, the preferred one first


def page(opening: str, tables: Mapping[str, pd.DataFrame], style: Style, pictures: Mapping[str, bytes]) -> str:
    """Return report.html as one text.

    `opening` is Markdown without HTML, shown first; its first line is the title. `tables` holds the report's tables by
    name. `pictures` holds the image files to which the opening may refer, by address, such as "figures/x.png". If x.svg
    is there too, it is used; if neither is, the alternative text.
    """
    files = {name: (FOLDER / f"explorer{name}").read_text(encoding="utf-8") for name in (".css", ".js")}
    shown = data.views(tables, style)
    look = files[".css"] + _colors(shown["activations"])
    scripts = {"vega": _vega(), "own": files[".js"]}
    for name, script in scripts.items():  # so that no string in them can end the HTML element around it
        scripts[name] = script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    markdown = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("explorer.html").render(
        policy=_policy([look], list(scripts.values())),
        title=rendering.plain_text(opening.strip().partition("\n")[0].lstrip("# ")) or "Activation functions, compared",
        opening=Markup(markdown.render(opening, {"pictures": pictures})),
        look=Markup(look),
        data=Markup(_json(shown)),
        scripts={name: Markup(text) for name, text in scripts.items()},
        **shown,
    )


@functools.cache
def _vega() -> str:
    """Return the JavaScript of Vega-Embed with all packages that it needs (0.9 MB)."""
    return str(vl_convert.javascript_bundle(VEGA_EXPORT))


def _json(value: object) -> str:
    """Return `value` as JSON that is safe inside an HTML element: "<" is escaped, NaN and infinities are null."""
    text = json.dumps(value, default=lambda number: number.item())  # numpy's numbers, which JSON does not know
    finite = json.loads(text, parse_constant=lambda _: None)
    return json.dumps(finite, separators=(",", ":")).replace("<", "\\u003c")


def _colors(activations: Sequence[Mapping[str, Any]]) -> str:
    """Return CSS that defines the colours of `activations`, from `data.views`, as variables numbered from 0.

    --light0 is a colour of the figures. The charts use --c0, which is lighter on a dark page. Texts use --t0, which is
    mixed with the colour of the page's text.
    """
    names = [f"--light{place}: {about['color']};" for place, about in enumerate(activations)]
    mixed = [
        f"--c{place}: color-mix(in oklab, var(--light{place}), white var(--lighten)); "
        f"--t{place}: color-mix(in oklab, var(--c{place}), var(--ink) 30%);"
        for place in range(len(activations))
    ]
    return "\n".join([":root {", *names, *mixed, "}\n"])


def _policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Return the Content-Security-Policy that allows these `styles`, `scripts` and `data:` pictures, and no others."""
    sources = {"style-src": map(_hash, styles), "script-src": map(_hash, scripts), "img-src": ["data:"]}
    lines = [f"{name} {' '.join(allowed)}" for name, allowed in sources.items()]
    return "; ".join(["default-src 'none'", *lines, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class _Renderer(RendererHTML):
    """Render Markdown with ids of headings, captions, intervals on one line, tables that scroll, and pictures.

    A caption is a paragraph that begins with emphasis. Each method returns the HTML of the token at `place` in
    `tokens`; markdown-it calls it by the token's type.
    """

    def heading_open(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        """Return the start of a heading, whose id is "report-" and the id that GitHub would give the heading."""
        parts = tokens[place + 1].children or ()
        text = "".join(part.content for part in parts if part.type in ("text", "code_inline", "text_special"))
        tokens[place].attrSet("id", "report-" + re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-"))
        return self.renderToken(tokens, place, options, env)

    def paragraph_open(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        if re.match(r"\*[^*]", tokens[place + 1].content):  # emphasis that opens a paragraph makes it a caption
            tokens[place].attrSet("class", "caption")
        return self.renderToken(tokens, place, options, env)

    def text(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        shown = super().text(tokens, place, options, env)
        return re.sub(r"\[[-+\d][^\s\]]*, [^\s\]]+\]", r'<span class="bounds">\g<0></span>', shown)

    def table_open(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        return '<div class="scroll" role="region" tabindex="0" aria-label="table">\n<table>\n'

    def table_close(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        return "</table>\n</div>\n"

    def td_open(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        """Return the start of a cell, of the class `number` if its column is aligned right."""
        scope = ' scope="col"' if tokens[place].tag == "th" else ""
        number = ' class="number"' if "right" in str(tokens[place].attrs.get("style", "")) else ""
        return f"<{tokens[place].tag}{scope}{number}>"

    th_open = td_open

    def image(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        """Return an image with the bytes of its file in `env["pictures"]`, or its alternative text without a file."""
        source, about = Path(str(tokens[place].attrs["src"])), escape(tokens[place].content.replace("_", " "))
        for kind, mime in MIME_TYPES.items():
            if content := env["pictures"].get(str(source.with_suffix(kind))):
                image = f'<img src="data:{mime};base64,{base64.b64encode(content).decode()}" alt="{about}">'
                return f'<span class="scroll picture" role="region" tabindex="0" aria-label="picture">{image}</span>'
        return f"<em>{about}</em>"
