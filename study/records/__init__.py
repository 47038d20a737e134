"""Keep records of runs on disk: identify a run, write and verify its record, read records as DataFrames.

Results of runs come in. Records, documents, ledgers and DataFrames go out. A record is the file of one run, a document
the file of any other measurement. The ledger lists a folder's runs. The engine's code is a part of a run's identity,
and theory's predictions are recorded for each activation. Start reading at store.py. The package may import theory,
the engine, data, and the modules beside the packages, such as settings. Only functions of catalogue.py load TensorFlow.
"""
