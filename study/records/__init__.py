"""Keep records of runs on disk: identify a run, write and verify its record, read records as DataFrames.

In: settings and results of runs. Out: verified records, documents and ledgers, read back. It may import the engine
(for what identifies a run) and theory (for what is recorded of an activation).
"""
