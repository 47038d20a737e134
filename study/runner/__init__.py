"""Carry out many runs and record them, on this machine or a Dask cluster. Start reading at session.py.

A Plan and the modules of experiments/ come in. Records of runs, documents of other measurements, and the ledger of a
results folder go out. The package may import cost, networks, records, the engine, data, and the modules beside the
packages, such as settings. It imports neither experiments nor analysis, figures or report. TensorFlow is loaded only in
the functions that need it, and in preloaded.py.
"""
