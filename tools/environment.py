"""Make a virtual environment from a lock file: every package pinned, every file checked against its hash.

    python tools/environment.py check              prints "suits", or why this Python does not
    python tools/environment.py make VENV LOCK     makes VENV anew unless it was made from a lock of this content
    python tools/environment.py peers VENV LOCK    the same without the project itself: for the engine's peers

The Makefile asks whatever Python it finds. So only the standard library is imported, in the syntax of Python 3.6: an
old Python must be able to say that it is old.
"""

import contextlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 13)  # TensorFlow 2.21 has builds for these CPythons and these machines alone
MACHINES = [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"), ("Windows", "AMD64")]
STAMP = ".installed"  # a copy of the lock that the environment was made from; the Makefile compares the two

# No bytecode: pip would compile 7,000 files on one core (27 s). `SLOW_TO_LOAD` compiles those that are used.
PIP = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-compile"]
# Nothing is built and nothing looked up: the lock is complete. The project itself is built by the locked setuptools.
LOCKED = ["--require-hashes", "--only-binary", ":all:", "--no-deps", "-r"]
PROJECT = ["--no-deps", "--no-build-isolation", "--no-index", "-e", "."]
SLOW_TO_LOAD = "import tensorflow, seaborn, statsmodels.api, dask.distributed"

# A user's variables may tell pip and uv where files come from and how to fetch them, not which files, nor where to.
FETCHING = (
    "INDEX", "FIND_LINKS", "CERT", "PROXY", "TRUSTED_HOST", "INSECURE_HOST", "TIMEOUT", "RETRIES", "CACHE_DIR",
    "KEYRING", "TLS", "OFFLINE", "CONCURRENT",
)  # fmt: skip
ACTIVE = ("PYTHON", "VIRTUAL_ENV", "CONDA", "_CONDA", "__PYVENV")  # beginnings of variables of an active environment


def shortcoming() -> str:
    """Return why this Python cannot run the study, as the beginning of a sentence; empty text if it can."""
    version = sys.version_info[:2]
    free_threaded = "free-threaded " if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    if not OLDEST <= version <= NEWEST or sys.implementation.name != "cpython" or free_threaded:
        name = platform.python_implementation()
        return f"{sys.executable} is {free_threaded}{name} {version[0]}.{version[1]}"
    if (platform.system(), platform.machine()) not in MACHINES or sys.maxsize < 2**32:
        bits = 64 if sys.maxsize > 2**32 else 32
        return f"TensorFlow has no build for {platform.system()} {platform.machine()}, {bits} bits"
    if not _has("venv") or not (_has("ensurepip") or shutil.which("uv")):
        return f"{sys.executable} has no venv and ensurepip (Debian, Ubuntu: apt install python3-venv)"
    return ""


def make(venv: Path, lock: Path, with_project: bool = True) -> None:
    """Make `venv` anew from `lock` unless it was made from the same content; a second process waits for the first.

    It is never updated in place: pip does not check what is installed already, and does not remove what the lock
    drops. `with_project` also installs the study itself. Raise CalledProcessError if a step fails.
    """
    with _locked(lock):
        stamp, content = venv / STAMP, lock.read_bytes()
        if stamp.exists() and stamp.read_bytes() == content:
            return
        size = "about a minute, 2.5 GB" if with_project else "some minutes, 6 GB with PyTorch's CUDA libraries"
        print(f"Making {venv} from {lock}: {size} on disk", flush=True)
        with_pip = [] if _has("ensurepip") else ["--without-pip"]
        if venv.is_symlink():
            venv.unlink()  # --clear would empty the folder that the link leads to
        _run(sys.executable, "-m", "venv", "--clear", *with_pip, str(venv))
        python = str(venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
        _install(python, *LOCKED, str(lock))
        if with_project:
            _install(python, *PROJECT)
            _run(python, "-I", "-c", SLOW_TO_LOAD, silent=True)
        stamp.write_bytes(content)


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


@contextlib.contextmanager
def _locked(lock: Path) -> "Iterator[None]":
    """Let one process at a time into the block, by a lock on the file `lock`; a killed process blocks nobody.

    A system without flock, such as Windows, lets all in.
    """
    with lock.open("r+b") as file:  # NFS locks only files that are open for writing
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _install(python: str, *what: str) -> None:
    """Install what pip's arguments `what` name into the environment of this `python`, with uv, or else with pip.

    Pip also follows if uv fails, because pip knows mirrors and certificates that uv does not.
    """
    uv = shutil.which("uv")
    if uv:
        try:
            _run(uv, "pip", "install", "--python", python, *what)
        except (OSError, subprocess.CalledProcessError):
            print("uv could not; pip tries", flush=True)
        else:
            return
    _run(python, "-I", *PIP, *what)


def _run(*command: str, silent: bool = False) -> None:
    subprocess.run(command, check=True, env=variables(os.environ), stderr=subprocess.PIPE if silent else None)


def variables(given: "Mapping[str, str]") -> "dict[str, str]":
    """Return `given`, environment variables, without those that would change what is installed, or where."""
    kept = {}
    for name, value in given.items():
        tool, _, option = name.partition("_")
        is_told = tool in ("PIP", "UV") and not any(word in option for word in FETCHING)
        if not is_told and not name.startswith(ACTIVE):
            kept[name] = value
    return kept


def main() -> int:
    """Carry out the command line, and return the exit code: 1 if making failed, 130 if interrupted, else 0.

    A line says which step failed. `check` prints its answer and always returns 0.
    """
    if sys.argv[1] == "check":
        print(shortcoming() or "suits")
        return 0
    try:
        make(Path(sys.argv[2]), Path(sys.argv[3]), with_project=sys.argv[1] == "make")
    except subprocess.CalledProcessError as error:
        last_words = (error.stderr or b"").decode(errors="replace").strip().splitlines()[-1:]
        print("No environment made, this failed:", " ".join(error.cmd), *last_words, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
