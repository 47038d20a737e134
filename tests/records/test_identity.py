"""A run is identified by its settings, data, activation and the engine's code, not by prose or layout.

Its record also says which machine and packages made it.
"""

import ast
import importlib.metadata
import shutil
from pathlib import Path

import pytest
from synthetic import ROOT

from study.records import identity as module_of_identity
from study.records.identity import engine_fingerprint, identity, source_fingerprint
from study.records.provenance import INSTRUCTIONS_VARIABLE, describe_environment
from study.settings import Settings


def test_an_identity_is_of_settings_data_activation_and_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the four changes the id; defaults written out or left out, a list or a tuple of widths, do not."""
    plain = Settings(activation="relu", seed=0)
    ids = [
        identity(plain, "data", "function").id,
        identity(Settings(activation="relu", seed=1), "data", "function").id,
        identity(plain, "other data", "function").id,
        identity(plain, "data", "other function").id,
    ]
    monkeypatch.setattr(module_of_identity, "engine_fingerprint", lambda: "another engine")
    ids.append(identity(plain, "data", "function").id)
    assert len(set(ids)) == len(ids)
    assert all(len(run) == 20 and set(run) <= set("0123456789abcdef") for run in ids)
    spelled = Settings(activation="relu", seed=0, depth=3, learning_rate=0.01)
    assert identity(spelled, "data", "function").id == identity(plain, "data", "function").id
    wide = [Settings(activation="relu", seed=0, depth=2, width=width) for width in ([5, 4], (5, 4))]
    assert len({identity(settings, "data", "function").id for settings in wide}) == 1


MODULES = sorted((ROOT / "study" / "engine").glob("*.py"))


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """Return a copy of the engine's folder, to be changed."""
    return shutil.copytree(ROOT / "study" / "engine", tmp_path / "engine", ignore=shutil.ignore_patterns("__pycache__"))


@pytest.mark.parametrize("change", ["docstring", "comment", "line ends"])
def test_prose_layout_and_hidden_copies_never_retrain(engine: Path, change: str) -> None:
    """Another docstring, a comment, blank lines or Windows' line ends in every module: the same engine.

    So it is with an editor's copies, which are hidden.
    """
    for module in MODULES:
        text = module.read_text()
        docstring = ast.get_docstring(ast.parse(text), clean=False)
        assert docstring is not None
        changed = {
            "docstring": text.replace(docstring, "Other words.", 1),
            "comment": f"# a comment\n{text}\n\n\n# a comment\n\n\n",
            "line ends": text.replace("\n", "\r\n"),
        }
        (engine / module.name).write_bytes(changed[change].encode())
    (engine / ".ipynb_checkpoints").mkdir()
    (engine / ".ipynb_checkpoints" / "run-checkpoint.py").write_text("CHANGED = 1\n")
    (engine / ".#run.py").symlink_to("nowhere")
    assert source_fingerprint(engine) == engine_fingerprint()


@pytest.mark.parametrize("module", [*(module.name for module in MODULES), "new.py"])
def test_code_of_the_engine_retrains(engine: Path, module: str) -> None:
    """One statement more in any module of the engine, a constant changed, or one more, even empty module."""
    file = engine / module
    if module == "run.py":
        assert "PROBE_IMAGES = 1000" in file.read_text()
        file.write_text(file.read_text().replace("PROBE_IMAGES = 1000", "PROBE_IMAGES = 999"))
    elif module == "new.py":
        file.touch()
    else:
        file.write_text(file.read_text() + "\nCHANGED = 1\n")
    assert source_fingerprint(engine) != engine_fingerprint()


@pytest.mark.parametrize("limit", [None, "AVX2"])
def test_the_versions_the_processor_and_a_limit_to_it_are_told(
    limit: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of a user to the processor's instructions is told if there is one."""
    monkeypatch.delenv(INSTRUCTIONS_VARIABLE, raising=False)
    if limit is not None:
        monkeypatch.setenv(INSTRUCTIONS_VARIABLE, limit)
    found = describe_environment.__wrapped__()
    assert found["numpy"] == importlib.metadata.version("numpy")
    assert found["cpu"]
    assert found.get(INSTRUCTIONS_VARIABLE) == limit
