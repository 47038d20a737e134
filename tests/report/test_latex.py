"""Tables and figures of the report go into a paper as they are."""

import shutil
import subprocess
from pathlib import Path

import pytest
from repository import unpack_committed

EXAMPLE = r"""
\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs, graphicx}
\begin{document}
%s
\end{document}
"""


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex on this machine")
def test_every_table_and_figure_compiles(tmp_path: Path) -> None:
    """An article of every committed tables/*.tex, by \\input, and every figure as PDF has no error in LaTeX."""
    unpack_committed(tmp_path, "results")
    tables = sorted((tmp_path / "results" / "tables").glob("*.tex"))
    figures = sorted((tmp_path / "results" / "figures").glob("*.pdf"))
    assert tables
    assert figures
    parts = [rf"\noindent\resizebox{{\textwidth}}{{!}}{{\input{{{path}}}}}\clearpage" for path in tables]
    parts += [rf"\includegraphics[width=\textwidth]{{{path}}}\clearpage" for path in figures]
    (tmp_path / "paper.tex").write_text(EXAMPLE % "\n".join(parts))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0, made.stdout[-2000:]
