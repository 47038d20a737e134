"""Many runs -> records: processes on this machine or a Dask cluster, progress, and taking up where a run stopped.

It may import the engine, the records and the analysis. A session does what one command asks for.
"""
