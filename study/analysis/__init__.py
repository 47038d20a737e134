"""Turn DataFrames into DataFrames: statistics, and computations that several questions share."""
