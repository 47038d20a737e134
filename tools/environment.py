"""Make a virtual environment from a lock file: every package pinned, every file checked against its hash.

    python tools/environment.py check              prints "suits", or in what way this Python does not
    python tools/environment.py make VENV LOCK     makes VENV anew unless it is newer than LOCK
    python tools/environment.py peers VENV LOCK    the same without the project itself: for the engine's peers

The Makefile asks whatever Python it finds, so only the standard library is imported, and the syntax is that of
Python 3.6: an old one must be able to say that it is old.
"""

import contextlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 13)  # TensorFlow 2.21 has builds for these CPythons, and for these machines alone
MACHINES = [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"), ("Windows", "AMD64")]
STAMP = ".installed"  # lies in the environment once it is whole; the Makefile looks at its age

# No bytecode: pip would compile 7,000 files on one core (27 s). `SLOW_TO_LOAD` has it written for those that are used.
PIP = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-compile"]
# Nothing is built and nothing looked up, the lock is complete; the project itself is built by the locked setuptools.
LOCKED = ["--require-hashes", "--only-binary", ":all:", "--no-deps", "-r"]
PROJECT = ["--no-deps", "--no-build-isolation", "--no-index", "-e", "."]
SLOW_TO_LOAD = "import tensorflow, seaborn, statsmodels.api, dask.distributed"


def shortcoming() -> str:
    """In what way this Python cannot hold the study, as the beginning of a sentence; empty if it can."""
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
    """Make `venv` anew from `lock`, stamped when it is whole; a second process waits, then finds it done.

    Always anew: pip checks no hash of what is installed already, and removes nothing that the lock no longer names.
    """
    with _alone(lock):
        stamp = venv / STAMP
        if stamp.exists() and stamp.stat().st_mtime >= lock.stat().st_mtime:
            return
        size = "about a minute, 2.5 GB" if with_project else "some minutes, 6 GB with PyTorch's CUDA libraries"
        print(f"Making {venv} from {lock}: {size} on disk", flush=True)
        with_pip = [] if _has("ensurepip") else ["--without-pip"]
        _run(sys.executable, "-m", "venv", "--clear", *with_pip, str(venv))
        python = str(venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
        _install(python, *LOCKED, str(lock))
        if with_project:
            _install(python, *PROJECT)
            _run(python, "-I", "-c", SLOW_TO_LOAD, silent=True)
        stamp.touch()


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


@contextlib.contextmanager
def _alone(lock: Path) -> "Iterator[None]":
    """One process at a time, where the system has flock (Windows has not); one that is killed holds nothing."""
    with lock.open("r+b") as file:  # for writing, which NFS asks for
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _install(python: str, *what: str) -> None:
    """With uv if it is there; pip, which knows mirrors and certificates that uv does not, has the last word."""
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
    environment = dict(os.environ, PIP_USER="0", PIP_REQUIRE_HASHES="0")
    subprocess.run(command, check=True, env=environment, stderr=subprocess.PIPE if silent else None)


def main() -> int:
    """The exit code: 1, with one line after what pip or uv said, if there is no environment; 130 if interrupted."""
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
