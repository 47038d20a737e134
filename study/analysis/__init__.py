"""Turn DataFrames into DataFrames: statistics, and computations that several questions share.

Frames of runs and of other measurements come in; tables, findings and judgements of claims go out. The package may
import `study.constants` and `study.errors`. It may import neither records, runner, engine, theory, data or experiments,
nor TensorFlow or a library that draws. Start reading at statistics.py, then comparisons.py and decision.py.
study/report/columns.toml explains the columns of the tables that the report shows.
"""
