"""Records on disk: identity, store, ledger, and the records as DataFrames.

It may import the engine (for what identifies a run) and theory (for what is recorded of an activation).
"""
