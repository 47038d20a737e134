"""Import what workers of the fake engine need, without TensorFlow, in place of study.runner.preloaded."""

import synthetic  # noqa: F401

from study.records import catalogue  # noqa: F401
from study.runner import execution, measurements  # noqa: F401
