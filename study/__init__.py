"""Measure, compare and explain what a hidden activation function does to an MLP: the reference study.

`from study import GradientLogger` measures the gradients of any Keras model while it trains (study/monitor/).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.monitor import GradientLogger as GradientLogger

__version__ = "0.3.0"


def __getattr__(name: str) -> Any:
    """Return the GradientLogger of study.monitor, imported at first use because TensorFlow takes seconds to load.

    Raise AttributeError if `name` is any other name.
    """
    if name == "GradientLogger":
        from study.monitor import GradientLogger

        return GradientLogger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
