"""What a record says about the machine and the packages that made it."""

import importlib.metadata

import pytest

from study.records.provenance import INSTRUCTIONS_VARIABLE, describe_environment


@pytest.mark.parametrize("limit", [None, "AVX2"])
def test_the_versions_the_processor_and_a_user_s_limit_to_it_are_told(
    limit: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(INSTRUCTIONS_VARIABLE, raising=False)
    if limit is not None:
        monkeypatch.setenv(INSTRUCTIONS_VARIABLE, limit)
    found = describe_environment.__wrapped__()
    assert found["numpy"] == importlib.metadata.version("numpy")
    assert found["cpu"]
    assert found.get(INSTRUCTIONS_VARIABLE) == limit
