"""Hold one framework's contenders in a child process and answer requests: no two frameworks share a process.

    python -m tests.benchmarks.child MODULE CORE MNIST

CORE is the core to stay on (-1: any), MNIST a path. Requests and answers are JSON, one a line, on standard input and
output; the first line of the output names the contenders.
"""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from study.data.reading import read
from tests.benchmarks.task import Data


def main() -> None:
    """Answer requests until standard input ends."""
    module, core, mnist = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a framework may print
    if int(core) >= 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core)})
    data = Data(*read(Path(mnist)))
    holder = importlib.import_module(f"tests.benchmarks.{module}")
    contenders = holder.contenders(data)
    _say(answers, {"contenders": list(contenders)})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            _say(answers, _carry_out(request, holder, contenders, data))
        except Exception as error:  # noqa: BLE001 - told to the parent, which reports it
            _say(answers, {"error": f"{type(error).__name__}: {error}"})


def _carry_out(request: dict[str, Any], holder: Any, contenders: Any, data: Any) -> dict[str, Any]:
    """Answer {"contender", "epochs": [first, last]} with seconds, and {"run": settings, "anew"} by `train_once`."""
    if "run" in request:
        return dict(holder.train_once(data, request["run"], request.get("anew", False)))
    first, last = request["epochs"]
    seconds = contenders[request["contender"]](range(first, last + 1))
    return {"seconds": seconds}


def _say(answers: TextIO, what: dict[str, Any]) -> None:
    print(json.dumps(what), file=answers, flush=True)


if __name__ == "__main__":
    main()
