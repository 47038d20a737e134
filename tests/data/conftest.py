"""Fixtures: tiny arrays in place of MNIST."""

import pytest
from mnist_files import Arrays, npz, tiny

from study.data import mnist


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Arrays:
    """Put four tiny arrays in the place of MNIST, and return them."""
    file = tmp_path_factory.mktemp("published") / "mnist.npz"
    file.write_bytes(npz(tiny()))
    monkeypatch.setattr(mnist, "CHECKSUM", mnist.load(file, any_data=True).checksum)
    return tiny()
