"""Build results/report.html: one page to explore, on which every number is from the report's tables.

`build.page` takes the tables and the report's opening, and returns the HTML text. `data` and `layers` turn the tables
into the JSON of the views. explorer.html, explorer.js and explorer.css are the page's own template, script and style.
The page loads nothing from elsewhere: its Content-Security-Policy forbids that.

Vega draws the charts. Vega's bundle of 0.9 MB comes from the Python package vl-convert-python, so that this repository
holds no code of others. Vega evaluates expressions with its own interpreter, so the page does not need `unsafe-eval`.
CONTRIBUTING.md says why two other chart libraries, BokehJS and uPlot, were rejected.
"""

from study.report.explorer.build import page

__all__ = ["page"]
