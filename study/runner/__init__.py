"""Carry out many runs and record them: on this machine or a Dask cluster, with progress and resumption.

The module `session` does what one command asks for. This package may import the engine, the records and the analysis.
"""
