"""As study.runner.preloaded, for worker processes of the fake engine: what they import, and no TensorFlow."""

import synthetic  # noqa: F401

from study.records import catalogue  # noqa: F401
from study.runner import execution, timing  # noqa: F401
