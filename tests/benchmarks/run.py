"""Measure the engine beside its peers and keep what was found as the document `bench`.

python -m tests.benchmarks [--mnist PATH] [--results FOLDER] [--repeats N] [--growth-repeats N]
"""

import argparse
import contextlib
import datetime
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from experiments import speed
from study.data import mnist
from study.data.reading import NPZ_NAMES
from study.engine import environment
from study.figures.style import Style
from study.plan import Plan
from study.records import provenance
from study.records.store import Store
from study.report import formatting
from study.report.rendering import render
from study.report.section import Evidence
from tests.benchmarks import growth, memory
from tests.benchmarks.catalogue import GROWTH_REPEATS, PEERS
from tests.benchmarks.contest import Contest
from tests.benchmarks.task import cores

VERSIONS = (
    "import importlib.metadata as m, json; print(json.dumps({n: m.version(n) for n in ('jax', 'torch', 'numpy')}))"
)


def main() -> None:
    """Measure, write the document, and print the tables of the report."""
    os.environ.update(environment.KERAS)
    parser = argparse.ArgumentParser(prog="make bench", description="The engine beside its peers.")
    parser.add_argument("--mnist", help="the data, if it is on this machine already")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--repeats", type=int, default=7, help="of the contenders")
    parser.add_argument("--growth-repeats", type=int, default=GROWTH_REPEATS)
    asked = parser.parse_args()
    for option, number in (("--repeats", asked.repeats), ("--growth-repeats", asked.growth_repeats)):
        if number < 1:
            parser.error(f"{option} is {number}; it must be at least 1")
    data = mnist.load(asked.mnist)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mnist.npz"  # for the child processes: the peers cannot load the study's data
        arrays = (data.training_images, data.training_labels, data.test_images, data.test_labels)
        np.savez(file, **dict(zip(NPZ_NAMES, arrays, strict=True)))
        content = _measured(asked, data, file)
    store = Store(asked.results / "records")
    store.folder.mkdir(parents=True, exist_ok=True)
    store.write_document("bench", content, _provenance())
    print(shown(store.read("bench")))
    print(f"\nKept in {store.path('bench')}; `make report` puts it in the report.")


def shown(document: dict[str, Any]) -> str:
    """Return the answer and the tables of the report's page on speed, in Markdown, from a bench `document`."""
    section = speed.conclude(Plan(()), Evidence({}, {"bench": document}), Style({}, {}))
    assert section is not None, "the document was given"
    page = render(section, {})
    tables = [f"{display.caption}\n\n{formatting.markdown(display.frame)}" for display in page.displays]
    return "\n\n".join([page.answer, *tables])


def _measured(asked: argparse.Namespace, data: mnist.Dataset, file: Path) -> dict[str, Any]:
    def say(text: str) -> None:
        print(text, flush=True)

    contest = Contest(cores(), file, say)
    with contextlib.closing(contest):
        contest.start()
        rows = [row for number in range(1, asked.repeats + 1) for row in contest.repeat(number)]
    found = growth.measure(cores(), file, say, asked.growth_repeats)
    return {
        "format": speed.FORMAT,
        "cores": len(cores()),
        "rows": rows,
        "growth": found,
        "memory": memory.measure(data),
        "missing": contest.missing,
    }


def _provenance() -> dict[str, Any]:
    """Return date, machine and versions; versions of the peers' packages are called `peer_...`."""
    peers = {}
    if PEERS.exists():
        answer = subprocess.run([PEERS, "-c", VERSIONS], capture_output=True, text=True, check=False).stdout
        peers = {f"peer_{name}": version for name, version in json.loads(answer or "{}").items()}
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {"date": date, **provenance.describe_environment(), **peers}
