"""Build results/report.html: one page to explore, on which every number is from the report's tables.

`data` and `layers` turn the tables into the JSON of the views, and `build.page` puts the page together. The page loads
nothing from elsewhere: its Content-Security-Policy forbids that. Vega draws the charts, with its own interpreter of
expressions, so that the page does not need `unsafe-eval`. Its bundle of 0.9 MB comes from the Python package
vl-convert-python. CONTRIBUTING.md says why two other chart libraries, BokehJS and uPlot, were rejected.
"""
