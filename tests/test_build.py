"""The way in: the Makefile, the environment it makes, and the lock that environment is made from. No network."""

import importlib.metadata
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from packaging.requirements import Requirement
from repository import ROOT, tool

from study.runner.cores import usual_workers
from tests import benchmarks

LOCK = ROOT / "requirements.lock"
TOOLS = ["sh", "make", "awk", "cmp"]  # all that a recipe may ask of the system, Python apart

ENVIRONMENT = tool("environment")
Finished = subprocess.CompletedProcess[str]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")


def locked() -> dict[str, tuple[Requirement, list[str]]]:
    """Name -> its requirement, and its hashes in hexadecimal."""
    text = re.sub(r"^#.*\n", "", LOCK.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(" --hash=sha256:") for line in re.sub(r" +", " ", text).splitlines()]
    requirements = [(Requirement(line[0]), [digest.strip() for digest in line[1:]]) for line in lines]
    return {requirement.name: (requirement, digests) for requirement, digests in requirements}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what `make` needs into a folder whose name is hard on shell scripts, without an environment."""
    folder = tmp_path / "a folder's $HOME"
    for name in ("tools/environment.py", "study/runner/cores.py", "Makefile", "pyproject.toml", "requirements.lock"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """Return a folder to be the whole PATH, as on a newcomer's machine without Python and uv."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


def python(commands: Path, name: str, pretence: str = "") -> None:
    """Put this test's Python on the PATH under `name`; it runs the statements of `pretence` first."""
    program = f"import runpy, sys; {pretence}\ndel sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = shlex.join([sys.executable, "-c", program]) if pretence else shlex.quote(sys.executable)
    (commands / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    (commands / name).chmod(0o755)


def make(folder: Path, *arguments: str, path: object = os.environ["PATH"], **environment: str) -> Finished:
    """Run as a person would, whatever make this test itself runs under."""
    told = {"HOME": str(folder), "PATH": str(path)} | environment
    return subprocess.run(["make", *arguments], cwd=folder, env=told, capture_output=True, text=True, check=False)


def study_arguments(checkout: Path, *arguments: str, **environment: str) -> list[str]:
    """Return the arguments of `python -m study`, as the shell would split them."""
    commands = make(checkout, "-n", *arguments, path=os.environ["PATH"], **environment).stdout
    return shlex.split(commands.splitlines()[-1])[3:]


def test_the_lock_is_whole_and_names_no_place() -> None:
    """It has each package to run, test and build, none for GPUs and no address: one version each, with SHA-256."""
    assert not re.findall(r"://|file:| @ |--(?!hash=sha256:)[a-z-]+", LOCK.read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["dev"]
    found = locked()
    for wish in map(Requirement, wanted + project["build-system"]["requires"]):
        assert wish.specifier.contains(next(iter(found[wish.name][0].specifier)).version), wish
    for name, (requirement, digests) in found.items():
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], name
        assert digests, name
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests), name
        assert not re.search("nvidia|cuda|triton", name), "gigabytes that this study never uses"


def test_an_environment_that_is_a_link_is_made_beside_what_it_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other environment keeps its files, and the link gives way to a folder."""
    monkeypatch.setattr(ENVIRONMENT, "_run", lambda *words, silent=False: (tmp_path / ".venv").mkdir(exist_ok=True))
    monkeypatch.setattr(ENVIRONMENT, "_install", lambda *words: None)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    (tmp_path / ".venv").symlink_to(tmp_path / "other")
    (tmp_path / "lock").write_text("locked")
    ENVIRONMENT.make(tmp_path / ".venv", tmp_path / "lock")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["file"]
    assert (tmp_path / ".venv" / ENVIRONMENT.STAMP).read_text() == "locked"


@pytest.mark.skipif(Path(sys.prefix) != ROOT / ".venv", reason="these tests do not run in the environment make makes")
def test_environment_is_the_locked_one() -> None:
    """The tests run with the very versions of the lock."""
    pins = [pin for pin, _ in locked().values() if pin.marker is None or pin.marker.evaluate()]
    assert [pin for pin in pins if not pin.specifier.contains(importlib.metadata.version(pin.name))] == []


def test_help_lists_every_target(checkout: Path) -> None:
    """Bare `make` shows the help, which has a line for each target and each variable."""
    shown = make(checkout)
    phony = re.search(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert re.findall(r"^make (\w+) +\w", shown.stdout, re.MULTILINE) == phony[1].split()
    assert set(phony[1].split()) >= {"all", "quick", "claims", "test", "report", "bench", "check", "clean", "help"}
    variables = "SEEDS ACTIVATIONS FIRST_SEED WORKERS SCHEDULER MNIST REPEATS RESULTS PYTHON"
    assert set(re.findall(r"\b([A-Z_]+)=", shown.stdout)) == set(variables.split())
    assert shown.stdout == make(checkout, "help").stdout
    workers, reason = usual_workers()
    assert f"WORKERS is {workers} on this machine unless you say otherwise: {reason}" in shown.stdout


AWKWARD = '/it\'s a "path"/$x;`y`/mnist.npz'
GIVEN = ["SEEDS=3", "ACTIVATIONS=relu mish", "WORKERS=0", f"MNIST={AWKWARD}", "SCHEDULER=tcp://h:1", "RESULTS=r"]
GIVEN += ["FIRST_SEED=7"]
OPTIONS = ["--seeds", "3", "--activations", "relu mish", "--first-seed", "7", "--mnist", AWKWARD]
OPTIONS += ["--workers", "0", "--scheduler", "tcp://h:1", "--results", "r"]


@pytest.mark.parametrize(
    ("typed", "arguments"),
    [
        (["all"], ["all"]),
        (["all", *GIVEN], ["all", *OPTIONS]),
        (["quick"], ["all", "--quick", "--results", "results-quick"]),
        (["quick", "RESULTS=r"], ["all", "--quick", "--results", "r"]),
        (["report", "RESULTS=r", "SEEDS=3"], ["report", "--results", "r"]),
        (["bench", "MNIST=m.npz", "REPEATS=15", "RESULTS=r", "SEEDS=3"],
         ["--mnist", "m.npz", "--repeats", "15", "--results", "r"]),
    ],
)  # fmt: skip
def test_variables_become_options(checkout: Path, typed: list[str], arguments: list[str]) -> None:
    """Each variable that a target knows, also of the environment, is one option and one word; others are not there."""
    assert study_arguments(checkout, *typed) == arguments
    assert study_arguments(checkout, typed[0], **dict(word.split("=", 1) for word in typed[1:])) == arguments


def test_second_call_installs_nothing(checkout: Path, commands: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same content of the lock, no Python is even looked for, whichever file is newer. Another pin needs a
    new environment, even if the lock is older. A process that waited for another finds the environment made.
    """
    whole_environment(checkout, "exit 0")
    lock, stamp = checkout / "requirements.lock", checkout / ".venv" / ".installed"
    for of_lock, of_stamp in ((2**31, 1), (1, 2**31)):
        os.utime(lock, (of_lock, of_lock))
        os.utime(stamp, (of_stamp, of_stamp))
        assert make(checkout, "-j4", "all", "test", path=commands).returncode == 0
    monkeypatch.setattr(ENVIRONMENT, "_run", None)
    ENVIRONMENT.make(checkout / ".venv", lock)
    lock.write_text(lock.read_text() + "another==1\n")
    os.utime(lock, (1, 1))
    assert "Python" in make(checkout, "all", path=commands).stderr


def whole_environment(checkout: Path, does: str) -> None:
    """Write an environment that looks made, whose Python does nothing but this."""
    folder = checkout / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "python").write_text(f"#!/bin/sh\n{does}\n")
    (folder / "python").chmod(0o755)
    shutil.copy(checkout / "requirements.lock", checkout / ".venv" / ".installed")


def test_a_users_variables_say_only_where_packages_come_from() -> None:
    """What would change which packages are installed, or where, is dropped: of pip, uv, Python, conda and venv."""
    kept = {"PATH": "p", "HOME": "h", "PIP_INDEX_URL": "i", "PIP_FIND_LINKS": "f", "PIP_CERT": "c", "UV_INDEX": "u"}
    kept |= {"PIP_DEFAULT_TIMEOUT": "9", "HTTPS_PROXY": "x", "SSL_CERT_FILE": "s"}
    names = "PIP_TARGET PIP_PREFIX PIP_NO_BINARY PIP_CONSTRAINT PIP_USER PIP_REQUIRE_VIRTUALENV PIP_CONFIG_FILE"
    names += " UV_TARGET UV_CONSTRAINT UV_NO_BINARY UV_PYTHON UV_SYSTEM_PYTHON PYTHONPATH PYTHONHOME PYTHONOPTIMIZE"
    names += " VIRTUAL_ENV CONDA_PREFIX CONDA_DEFAULT_ENV"
    assert ENVIRONMENT.variables({**kept, **dict.fromkeys(names.split(), "/nonsense")}) == kept


PEER = """
import importlib.metadata, json, sys
from unittest.mock import MagicMock
sys.modules |= {"jax": MagicMock(), "torch": MagicMock()}
from tests.benchmarks import child, jax_scan, pytorch
packages = importlib.metadata.packages_distributions()
loaded = {name.partition(".")[0] for name in sys.modules if name.partition(".")[0] not in ("jax", "torch")}
print(json.dumps(sorted({distribution for name in loaded for distribution in packages.get(name, [])})))
"""


def test_a_peer_of_the_benchmark_needs_only_what_its_lock_has() -> None:
    """A child process of JAX or PyTorch imports no package of the study's own environment."""
    done = subprocess.run([sys.executable, "-c", PEER], cwd=ROOT, capture_output=True, text=True, check=True)
    has = set(re.findall("^([a-z-]+)==", (ROOT / "requirements-bench.lock").read_text(), re.MULTILINE))
    assert {"numpy"} <= set(json.loads(done.stdout)) <= has | {"activation-study"}


def test_an_interrupted_benchmark_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C gives no traceback at any time, also while it is still importing."""
    main = importlib.import_module("tests.benchmarks.__main__").main
    interrupted = Mock(side_effect=KeyboardInterrupt)
    monkeypatch.setattr(benchmarks, "run", SimpleNamespace(main=interrupted), raising=False)
    assert main() == 130
    monkeypatch.delattr(benchmarks, "run")
    monkeypatch.setattr(benchmarks, "__getattr__", interrupted, raising=False)
    assert main() == 130


@pytest.mark.parametrize(
    ("pretence", "says"),
    [
        ("sys.version_info = (3, 14, 0, 'final', 0)", "CPython 3.14"),
        ("sys.version_info = (3, 10, 9, 'final', 0)", "CPython 3.10"),
        ("import platform; platform.system, platform.machine = lambda: 'Darwin', lambda: 'x86_64'", "Darwin x86_64"),
        ("sys.modules['ensurepip'] = None", "python3-venv"),
        ("sys.modules['venv'] = None", "python3-venv"),
        ("sys.exit('no such version of Python')", "python3 does not run"),
        (None, "python3 does not run; this study needs CPython 3.11"),
    ],
)
def test_unsuitable_python_gets_one_sentence(checkout: Path, commands: Path, pretence: str | None, says: str) -> None:
    """It says what is wrong, what is needed and what to type; nothing is installed."""
    if pretence is not None:
        python(commands, "python3", pretence)
    answer = make(checkout, "all", "PYTHON=python3", path=commands)
    first, *rest = answer.stderr.splitlines()
    assert says in first
    assert "3.11, 3.12 or 3.13" in first
    assert first.endswith("make all PYTHON=python3.13")
    assert [line[:9] for line in rest] == ["make: ***"]
    assert answer.returncode == 2
    assert not (checkout / ".venv").exists()


def test_suitable_python_is_found(checkout: Path, commands: Path) -> None:
    """An old python3 does not matter where a python3.12 is; one that is named is taken at its word."""
    python(commands, "python3", "sys.version_info = (3, 9, 0, 'final', 0)")
    python(commands, "python3.13", "sys.exit(1)")
    (commands / "python3.12").write_text('#!/bin/sh\n[ "$2" = check ] && echo suits || echo took "$0" "$@"\n')
    (commands / "python3.12").chmod(0o755)
    made = make(checkout, ".venv/.installed", path=commands)
    assert made.stdout.endswith("python3.12 tools/environment.py make .venv requirements.lock\n")
    assert "CPython 3.9" in make(checkout, "all", "PYTHON=python3", path=commands).stderr


@pytest.mark.skipif(importlib.util.find_spec("ensurepip") is None, reason="this Python cannot make environments")
def test_wrong_hash_is_not_installed(checkout: Path, commands: Path) -> None:
    """A file whose SHA-256 is not in the lock fails the installation, which leaves no stamp behind."""
    with zipfile.ZipFile(checkout / "tiny-1-py3-none-any.whl", "w") as wheel:  # the smallest package possible
        wheel.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    (checkout / "requirements.lock").write_text(f"tiny==1 --hash=sha256:{'0' * 64}\n")
    python(commands, "python3")
    made = make(checkout, "all", path=commands, PIP_NO_INDEX="1", PIP_FIND_LINKS=checkout.as_uri())
    assert made.returncode == 2
    assert "DO NOT MATCH THE HASHES" in made.stderr
    assert "No environment made" in made.stderr
    assert not (checkout / ".venv" / ".installed").exists()


def test_citation_is_of_this_version() -> None:
    """CITATION.cff and pyproject.toml tell the same version and licence."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = dict(re.findall(r"^(version|license): (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE))
    assert citation == {"version": project["version"], "license": project["license"]}
