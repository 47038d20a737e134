"""Keep records of runs on disk: identify a run, write and verify its record, read records as DataFrames.

In: settings and results of runs. Out: verified records, documents and ledgers, read back. A record is the file of one
run, a document the file of any other measurement. The ledger lists a folder's runs. This package may import the
engine, whose code is part of a run's identity. It may import theory, whose predictions are recorded for each
activation.
"""
