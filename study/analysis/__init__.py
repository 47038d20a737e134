"""DataFrames -> DataFrames: statistics, and what several questions share."""
