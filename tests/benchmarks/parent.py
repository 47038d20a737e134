"""Start a child process that measures, send it requests, and wait for its answers."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.task import thread_variables

ROOT = Path(__file__).resolve().parents[2]
# Environment variables that would favour or slow a contender: a forced kernel, for instance, slows `products`.
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OMP_NUM_THREADS", "GLIBC_TUNABLES", "PYTHONHOME")


class Unavailable(Exception):
    """Say in one line why a contender or its whole framework cannot run here."""


class Child:
    """Hold a process of one framework: one thread on one `core`, or the framework's threads on all cores if None."""

    def __init__(self, python: Path, module: str, core: int | None, mnist: Path) -> None:
        if not python.exists():
            raise Unavailable("its packages could not be installed")
        kept = {name: value for name, value in os.environ.items() if name not in UNSET}
        environment = {**kept, "PYTHONPATH": str(ROOT), **thread_variables(None if core is None else 1)}
        command = [str(python), "-m", "tests.benchmarks.child", module, str(-1 if core is None else core), str(mnist)]
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process; a pipe might fill and block it
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said,
            text=True,
        )  # fmt: skip
        self.contenders: list[str] = self.answer()["contenders"]

    def ask(self, **request: Any) -> None:
        """Send a request; call `answer` for its answer."""
        assert self.process.stdin is not None
        print(json.dumps(request), file=self.process.stdin, flush=True)

    def answer(self) -> dict[str, Any]:
        """Return the next answer; without one, or after an error, raise Unavailable with the child's last line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.said.seek(0)
            last_words = self.said.read().strip().splitlines()[-1:]
            raise Unavailable(one_line(" ".join(last_words) or "its process ended"))
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise Unavailable(one_line(found["error"]))
        return found

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
        self.said.close()


def one_line(text: str) -> str:
    """Return the text's first line, without folders of this machine, at most 200 characters."""
    first = (text.strip().splitlines() or [""])[0]
    words = (word.rsplit("/", 1)[-1] if word.startswith(("/", "'/")) else word for word in first.split())
    return " ".join(words)[:200]


def ask_all(children: Sequence[Child], requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Ask each child its request at once and wait for all answers."""
    for child, request in zip(children, requests, strict=True):
        child.ask(**request)
    return [child.answer() for child in children]
