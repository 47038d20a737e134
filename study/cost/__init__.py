"""Measure the cost of an activation: its time (stopwatch.py), and the memory that its gradient keeps (memory.py).

Timings need a quiet machine and a process of their own. This package may import the engine, and what the engine may.
"""
