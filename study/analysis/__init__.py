"""Turn DataFrames into DataFrames: statistics, and computations that several questions share.

study/report/columns.toml explains the columns of the tables that the report shows.
"""
