"""Make sections with a plain page, to test what the report does with any section."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from study.report.section import Section

PAGE = Path(__file__).with_name("pages") / "plain.md"
MAKING = {  # as `making.making` returns it
    "command": "make all", "environments": ["python 3, cpu a|b"], "runs": 2, "compute_minutes": 1.5,
    "compile_minutes": 0.4, "wall_minutes": 1.0, "last_run": "2020-01-01T00:00:00Z", "data_checksums": ["0123"],
}  # fmt: skip


def plain(
    title: str,
    answer: str = "",
    texts: Sequence[str] = ("A paragraph.",),
    caption: str = "It shows.",
    shown: Mapping[str, pd.DataFrame] | None = None,
    **parts: Any,
) -> Section:
    """Return a section whose page shows `texts`, then a table for each frame of `shown`, then the figures.

    `title` and `answer` are the page's. `caption` is the caption of every table. `parts` are other fields of Section,
    such as `figures`.
    """
    cells = {name: {"columns": list(frame), "rows": frame.to_numpy().tolist()} for name, frame in (shown or {}).items()}
    protocol = {"title": title, "answer": answer, "texts": texts, "caption": caption, "shown": cells}
    return Section(PAGE, protocol=protocol, **parts)
