"""The report's blocks -> one HTML page: no script, no request but for its own figures, every text escaped."""

import re
from collections.abc import Sequence
from html import escape

from markdown_it import MarkdownIt

from study.report.formatting import Formula, is_numeric
from study.report.page import TITLE, Block, Heading
from study.report.section import Display, Picture

POLICY = "default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 68rem; padding: 1rem; background: #fff; color: #222;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: break-word; }
h1 { font-size: 1.8rem; line-height: 1.2; }
h2 { margin-top: 2.5rem; padding-top: .75rem; border-top: 1px solid #ddd; font-size: 1.35rem; line-height: 1.25; }
a { color: #0b5394; }
code { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .88em; }
p, ul, figcaption { max-width: 50rem; }
figure { margin: 1.5rem 0; }
figcaption { margin-top: .4rem; color: #555; font-size: .9rem; }
img { display: block; width: 100%; max-width: 46rem; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: separate; border-spacing: 0; border-top: 2px solid #222; border-bottom: 2px solid #222;
  font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .55rem; text-align: left; vertical-align: top; }
thead th { border-bottom: 1px solid #222; vertical-align: bottom; }
tbody tr + tr > * { border-top: 1px solid #eee; }
tbody th { font-weight: 600; }
tr > :first-child { position: sticky; left: 0; background: #fff; }
.number { text-align: right; }
td.number { white-space: nowrap; }
.text { min-width: 10rem; }
"""
_MARKDOWN = MarkdownIt("commonmark", {"html": False})
_LONG = 24  # characters, from which a cell of text may break its lines


def html(blocks: Sequence[Block]) -> str:
    """The page."""
    body = "\n".join([f"<h1>{escape(TITLE)}</h1>", *map(_html, blocks)])
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escape(TITLE)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n"
        f"</html>\n"
    )


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        return f'<h2 id="{escape(block.anchor)}">{escape(block.text)}</h2>'
    if isinstance(block, Display):
        name = escape(block.name)
        source = f'(<a href="tables/{name}.tex">{name}</a>)'
        return f"<figure>\n{_table(block)}\n<figcaption>{_inline(block.caption)} {source}</figcaption>\n</figure>"
    if isinstance(block, Picture):
        name = escape(block.name)
        image = f'<img src="figures/{name}.png" alt="{name.replace("_", " ")}" loading="lazy">'
        caption = f"<figcaption>{_inline(block.caption)}</figcaption>"
        return f'<figure>\n<a href="figures/{name}.svg">{image}</a>\n{caption}\n</figure>'
    return str(_MARKDOWN.render(_formulas(block))).strip()


def _table(display: Display) -> str:
    frame = display.frame
    kinds = [_kind([str(cell) for cell in frame.iloc[:, index]], index) for index in range(frame.shape[1])]
    heads = (f'<th scope="col"{kind}>{escape(str(name))}</th>' for name, kind in zip(frame.columns, kinds, strict=True))
    rows = [f"<tr>{''.join(heads)}</tr>"]
    for row in frame.itertuples(index=False):
        first, *others = [f"{kind}>{_cell(cell)}" for cell, kind in zip(row, kinds, strict=True)]
        rows.append(f'<tr><th scope="row"{first}</th>' + "".join(f"<td{other}</td>" for other in others) + "</tr>")
    header, body = rows[0], "\n".join(rows[1:])
    table = f"<table>\n<thead>{header}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(display.name)}">{table}</div>'


def _kind(cells: Sequence[str], index: int) -> str:
    if index and is_numeric(cells):
        return ' class="number"'
    return ' class="text"' if any(len(cell) > _LONG for cell in cells) else ""


def _cell(cell: object) -> str:
    text = escape(" ".join(str(cell).split()))
    return f"<code>{text}</code>" if isinstance(cell, Formula) else text


def _inline(text: str) -> str:
    return str(_MARKDOWN.renderInline(_formulas(text)))


def _formulas(text: str) -> str:
    """Markdown in which a code host's formulas, $`x`$, are code: a page without scripts sets no formulas."""
    return re.sub(r"\$`([^`]*)`\$", r"`\1`", text)
