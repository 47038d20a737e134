"""Carry out many runs and record them: on this machine or a Dask cluster, with progress and resumption.

It may import the engine, the records and the analysis. A session does what one command asks for.
"""
