"""The cost of an activation: the seconds it takes (stopwatch.py) and the memory it keeps (memory.py).

Timings need a quiet machine and a process of their own. This package may import the engine, and what the engine may.
"""
