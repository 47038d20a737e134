"""Every program that these tests compile is kept until they end, so that none is compiled twice."""

import functools

import pytest

from study.engine import programs, run


@pytest.fixture(scope="package", autouse=True)
def kept_programs():
    """Replace the cache of compiled programs, which keeps eight, by one without a limit."""
    with pytest.MonkeyPatch.context() as patch:
        unlimited = functools.cache(programs.compiled_programs.__wrapped__)
        patch.setattr(programs, "compiled_programs", unlimited)
        patch.setattr(run, "compiled_programs", unlimited)
        yield
