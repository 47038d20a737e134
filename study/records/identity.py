"""Identify a run by its settings, the data, the activation and the engine's code."""

import ast
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.records.canonical import digest
from study.settings import Settings

STUDY = Path(__file__).parents[1]


@dataclass(frozen=True)
class Identity:
    """Hold what identifies a run: all settings, the data's checksum, the activation's and the engine's fingerprints."""

    settings: dict[str, Any]
    data: str
    activation: str
    engine: str

    @property
    def id(self) -> str:
        """Return the run's id, which also names its record."""
        return identifier(self.__dict__)


def identifier(fields: dict[str, Any]) -> str:
    """Return the id of a run: the first 20 hexadecimal digits of the SHA-256 of its Identity's `fields`."""
    return digest(fields)[:20]


def identity(settings: Settings, data: str, activation: str) -> Identity:
    """Return the identity of a run by the engine's present code; `data` is a checksum, `activation` a fingerprint."""
    return Identity(settings.to_dict(), data, activation, engine_fingerprint())


def engine_fingerprint() -> str:
    """Return the hash of the engine's code; comments, layout and docstrings do not change it."""
    return source_fingerprint(STUDY / "engine")


@functools.cache
def source_fingerprint(*paths: Path) -> str:
    """Return the SHA-256, 64 hexadecimal digits, of the names and the syntax trees of modules, without docstrings.

    `paths` are modules and folders. Of a folder all modules count but hidden ones, such as an editor's copies.
    """
    modules = [module for path in paths for module in (_modules_in(path) if path.is_dir() else [path])]
    spelled = [f"{module.name} {_tree_text(ast.parse(module.read_text(encoding='utf-8')))}" for module in modules]
    return hashlib.sha256("\n".join(spelled).encode()).hexdigest()


def _modules_in(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.py"))
    return [module for module in found if not any(part[0] == "." for part in module.relative_to(folder).parts)]


def _tree_text(node: Any) -> str:
    """Return `node`, of a syntax tree, as the same text in all Python versions, without empty fields and docstrings."""
    if isinstance(node, list):
        return "[" + ",".join(_tree_text(item) for item in node if not _is_docstring(item)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
    return type(node).__name__ + "(" + ",".join(f"{name}={_tree_text(value)}" for name, value in fields) + ")"


def _is_docstring(node: Any) -> bool:
    """Tell whether `node`, a statement of a syntax tree, consists of a text alone, as a docstring does."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
