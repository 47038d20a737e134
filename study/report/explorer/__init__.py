"""Build results/report.html: one page to explore, with every number of its views from the report's tables.

Tables and the report's opening come in, one HTML text goes out: `build.page`. `data` shapes the tables for the views;
explorer.html, explorer.js and explorer.css are the page. The page makes no request and runs under a strict policy.

Vega draws the charts. Its bundle comes out of a Python package (no code of others in this repository), is 0.9 MB,
and runs without unsafe-eval through its own interpreter. CONTRIBUTING.md says what was measured beside it.
"""

from study.report.explorer.build import page

__all__ = ["page"]
