"""Measure the gradients of any Keras 3 model on TensorFlow while it trains.

In: a model that `fit` trains. Out: a DataFrame, a CSV file, TensorBoard's events, figures, findings. It may import
`study.engine.measures`, `study.theory` and, when a figure is asked for, `study.figures`.
"""

from study.monitor.callback import GradientLogger

__all__ = ["GradientLogger"]
