"""A run is identified by its settings, data, activation and the engine's code, not by prose or layout."""

import ast
import shutil
from pathlib import Path

import pytest
from synthetic import ROOT

from study.records import identity as module_of_identity
from study.records.identity import engine_fingerprint, identity, source_fingerprint
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


def fingerprint(folder: Path, module: Path | None = None, old: str = "", new: str = "") -> str:
    """Return the fingerprint of a copy of the engine's folder in which `old` is replaced by `new` in one module."""
    shutil.copytree(ROOT / "study" / "engine", folder, ignore=shutil.ignore_patterns("__pycache__"))
    if module is not None:
        text = module.read_text()
        assert old in text, f"{old!r} is no longer in {module.name}: choose another place to change"
        (folder / module.name).write_text(text.replace(old, new, 1))
    return source_fingerprint(folder)


@pytest.mark.parametrize("change", ["docstring", "comment", "line ends"])
def test_prose_and_layout_never_retrain(tmp_path: Path, change: str) -> None:
    """Another docstring, a comment, blank lines or Windows' line ends in every module: the same engine."""
    fingerprint(folder := tmp_path / "engine")
    for module in MODULES:
        text = module.read_text()
        docstring = ast.get_docstring(ast.parse(text), clean=False)
        assert docstring is not None
        changed = {
            "docstring": text.replace(docstring, "Other words.", 1),
            "comment": f"# a comment\n{text}\n\n\n# a comment\n\n\n",
            "line ends": text.replace("\n", "\r\n"),
        }
        (folder / module.name).write_bytes(changed[change].encode())
    assert source_fingerprint.__wrapped__(folder) == engine_fingerprint()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_code_of_the_engine_retrains(tmp_path: Path, module: Path) -> None:
    """One statement more in any module of the engine: another engine."""
    text = module.read_text()
    assert fingerprint(tmp_path / "a", module, text, text + "\nCHANGED = 1\n") != engine_fingerprint()


def test_a_number_in_the_training_loop_retrains(tmp_path: Path) -> None:
    """A constant changed in run.py: another engine."""
    module = ROOT / "study" / "engine" / "run.py"
    assert fingerprint(tmp_path / "a", module, "PROBE_IMAGES = 1000", "PROBE_IMAGES = 999") != engine_fingerprint()


def test_a_module_added_or_renamed_retrains(tmp_path: Path) -> None:
    """The engine is its folder: a new module, or one of another name, is another engine."""
    fingerprint(folder := tmp_path / "a")
    (folder / "new.py").write_text("")
    assert source_fingerprint.__wrapped__(folder) != engine_fingerprint()
