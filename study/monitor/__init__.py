"""Measure the gradients of any Keras 3 model on TensorFlow while it trains.

`GradientLogger` is a callback for `model.fit`. It returns its measures, theory's predictions and its findings as
DataFrames. It draws figures, and it writes a CSV file and TensorBoard's event files on request.

This package may import `study.activations`, `study.engine.measures` and `study.theory`, and, to draw, `study.figures`.
"""

from study.monitor.callback import GradientLogger

__all__ = ["GradientLogger"]
