"""Measure the cost of an activation: its seconds (stopwatch.py) and the memory it keeps (memory.py).

Timings need a quiet machine and a process of their own. This package may import the engine, and what the engine may.
"""
