"""Carry out many runs and record them, on this machine or a Dask cluster; `session` does what a command asks for."""
