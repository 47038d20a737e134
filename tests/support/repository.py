"""Find the repository that holds these tests: its folder, its tools, and its files as they were committed."""

import importlib.util
import io
import subprocess
import zipfile
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def tool(name: str) -> ModuleType:
    """Import the module `name` of tools/, which is not a package, and return it."""
    specification = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def unpack_committed(folder: Path, *paths: str) -> None:
    """Write the files and folders `paths` of the last commit to `folder`; skip the test if git cannot be used.

    A test of the committed results must not read results/ itself, because `make all` overwrites it.
    """
    try:
        done = subprocess.run(
            ["git", "archive", "--format=zip", "HEAD", *paths], cwd=ROOT, capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        import pytest  # takes a second, which processes without tests need not wait

        pytest.skip(f"the committed edition is in git, and this is not a checkout that git can read: {error}")
    with zipfile.ZipFile(io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder)
