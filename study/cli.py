"""Define the `study` command: read the request, carry it out, and return an exit code."""

import argparse
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from study.engine import environment
from study.errors import DAMAGED, DONE, INTERRUPTED, SOME_FAILED, StudyError
from study.runner import surroundings
from study.runner.cores import usual_workers
from study.runner.progress import say

CONTRADICTION = 1  # of `study compare`


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command and return its exit code; CONTRIBUTING.md lists the codes."""
    surroundings.prepare()
    if arguments is None:
        surroundings.quieten()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = _parser().parse_args(arguments)
    code = DONE
    try:
        code = int(options.command(options))
        sys.stdout.flush()
    except StudyError as error:
        return _complain(str(error), error.code)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not disturb the end of the workers
        again = "study " + shlex.join(sys.argv[1:] if arguments is None else arguments)
        return _complain(f"interrupted; finished runs are kept. Resume with: {again}", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads the output any more
    return code


def _complain(message: str, code: int) -> int:
    say(f"study: {message}")
    return code


def _all(options: argparse.Namespace) -> int:
    from study.report import currency

    command = {key: value for key, value in vars(options).items() if key not in ("command", "results", "mnist")}
    before = currency.last_line(options.results, currency.inputs(options.results, command, options.mnist))
    if before is not None:
        say(f"0 runs done: nothing has changed since {options.results / 'README.md'} was written", sys.stdout)
        say(before, sys.stdout)
        return DONE
    code = _run(options)
    found = currency.inputs(options.results, command, options.mnist)
    code = max(code, _report(options))
    line = _beside_committed(options)
    say(line, sys.stdout)
    if code == DONE:
        currency.note_finished(options.results, found, line)
    return code


def _beside_committed(options: argparse.Namespace) -> str:
    """Say in one line how the results compare with the committed edition, which is of the usual plan."""
    from study.report import editions

    if options.quick or options.seeds is not None or options.activations is not None:
        return f"not compared with {editions.COMMITTED}: a quick look, or other seeds or activations, was asked for"
    return editions.in_one_line(options.results)


def _run(options: argparse.Namespace) -> int:
    from experiments import askable
    from study.records.store import stores
    from study.runner.request import read_plan
    from study.runner.session import run_experiments

    targets, code = askable(), DONE
    plan, names = read_plan(options, _registry(), targets)
    workers, why = _workers(options)
    if options.workers is None and options.scheduler is None:
        say(f"worker processes: {workers}, {why}")
    for store in stores(options.results):
        if here := [name for name in names if store.holds(targets[name])]:
            for failure in run_experiments(plan, _modules(here), store, _data(options), workers, options.scheduler):
                code = _complain(failure, SOME_FAILED)
    return code


def _report(options: argparse.Namespace) -> int:
    from experiments import by_name
    from study.report.assembly import write_report

    started = time.monotonic()
    missing = write_report(options.results, by_name())
    say(f"{options.results / 'README.md'} is written ({time.monotonic() - started:.0f} s)", sys.stdout)
    for line in missing:
        say(f"study: {line}")
    return SOME_FAILED if missing else DONE


def _plan(options: argparse.Namespace) -> int:
    from experiments import askable
    from study.runner.estimate import preview
    from study.runner.request import read_plan

    plan, names = read_plan(options, _registry(), askable())
    for line in preview(plan, _modules(names), options.results, _data(options), _workers(options)[0]):
        print(line)
    return DONE


def _verify(options: argparse.Namespace) -> int:
    from study.records.store import stores

    places = stores(options.results)
    problems = [problem for store in places for problem in store.problems()]
    for problem in problems:
        print(problem)
    count = sum(len(store.runs()) + len(store.document_names()) for store in places)
    print(f"{count} records, {len(problems)} damaged")
    return DAMAGED if problems else DONE


def _compare(options: argparse.Namespace) -> int:
    from study.analysis.editions import CONTRADICTS, compare
    from study.report import editions

    first = editions.read(options.first)
    if options.second is None:
        commit, second = editions.committed()
        name = f"{editions.COMMITTED}, {commit}"
    else:
        name, second = str(options.second), editions.read(options.second)
    if options.keep:
        editions.keep(first, options.keep, options.about or "", options.results / "records")
    found = compare(first, second)
    for line in editions.listed(found, (str(options.first), name), options.all):
        print(line)
    return CONTRADICTION if (found["outcome"] == CONTRADICTS).any() else DONE


def _train(options: argparse.Namespace) -> int:
    from study.records.store import stores
    from study.runner.request import check_activations, read_settings
    from study.runner.session import train_one

    settings = read_settings(options.settings)
    check_activations([settings.activation], _registry())
    result = train_one(settings, stores(options.results)[0], _data(options))
    print(json.dumps({key: result[key] for key in ("status", "epochs", "last", "best") if key in result}, indent=2))
    return DONE if result["status"] in ("done", "diverged") else SOME_FAILED


def _predict(options: argparse.Namespace) -> int:
    from study.errors import BAD_USAGE
    from study.records.store import NETWORK

    environment.start_tensorflow()
    from study.networks.prediction import predict

    found, problems = predict(options.images, options.results / NETWORK)
    if found:
        width = max(len(str(path)) for path in found)
        print(f"{'':{width}}  digit " + "".join(f"{digit:7d}" for digit in range(10)))
    for path, shares in found.items():
        print(f"{path!s:{width}}  {shares.argmax():5d} " + "".join(f"{share:7.1%}" for share in shares))
    for problem in problems:
        _complain(problem, BAD_USAGE)
    return BAD_USAGE if problems else DONE


def _activations(options: argparse.Namespace) -> int:
    registry = _registry()
    for name, entry in registry.items():
        mark = "*" if entry.studied else " "
        print(f"{mark} {name:12s} {entry.label:18s} {entry.source}")
    print("* studied unless ACTIVATIONS says otherwise")
    return _each_accepted(registry, registry, lambda name: None)


def _each_accepted(names: Iterable[str], registry: Mapping[str, Any], show: Callable[[str], None]) -> int:
    """Call `show` for each activation that passes the study's checks, and report every other one.

    Return DONE, or SOME_FAILED if any was reported.
    """
    from study.activations import ActivationError
    from study.fitness import check

    code = DONE
    for name in names:
        try:
            check(registry[name])
            show(name)
        except ActivationError as error:
            code = _complain(f"activation {name!r} would be refused: it {error}", SOME_FAILED)
    return code


def _theory(options: argparse.Namespace) -> int:
    from study.runner.request import check_activations

    registry = _registry()
    names = options.names or [name for name, entry in registry.items() if entry.studied]
    check_activations(names, registry)
    from study.theory.summary import describe

    return _each_accepted(names, registry, lambda name: print(describe(name)))


def _show_data(options: argparse.Namespace) -> int:
    data = _data(options)()
    print(f"{len(data.training_labels)} training and {len(data.test_labels)} test images from {data.source}")
    print(f"SHA-256 of the arrays: {data.checksum}")
    return DONE


def _registry() -> dict[str, Any]:
    environment.start_tensorflow()
    from study.activations import REGISTRY

    return REGISTRY


def _modules(names: Sequence[str]) -> dict[str, Any]:
    """Return the experiments of these names, in the order of the report."""
    from experiments import by_name

    return {name: module for name, module in by_name().items() if name in names}


def _data(options: argparse.Namespace) -> Callable[[], Any]:
    from study.data.mnist import load

    return lambda: load(options.mnist, any_data=options.any_data)


def _workers(options: argparse.Namespace) -> tuple[int, str]:
    """Return how many processes to start, and why."""
    return usual_workers() if options.workers is None else (options.workers, "as asked for")


_OPTIONS: dict[str, dict[str, Any]] = {
    "experiments": {"nargs": "*", "metavar": "EXPERIMENT", "help": "all of the target if none is named"},
    "--target": {"help": "whose experiments: all (if not said), or one with long protocols, as claims"},
    "--seeds": {"type": int, "help": "paired seeds per setting"},
    "--first-seed": {"type": int, "default": 0, "help": "shifts every block of seeds (0)"},
    "--activations": {"help": 'names, as in "relu mish"; the studied ones if not said'},
    "--quick": {"action": "store_true", "help": "a short taste: fewer seeds and epochs"},
    "--workers": {"type": int, "help": "processes; one a core if not said; 0: all in this process"},
    "--scheduler": {"help": "address of a Dask scheduler to use instead of this machine"},
    "--results": {"type": Path, "default": Path("results"), "help": "where everything is kept (results)"},
    "--mnist": {"type": Path, "help": "a file or folder that holds MNIST"},
    "--any-data": {"action": "store_true", "help": "accept a --mnist file that holds another data set"},
    "names": {"nargs": "*", "metavar": "NAME", "help": "activations; all studied ones if none is named"},
    "settings": {"nargs": "+", "metavar": "FIELD=VALUE", "help": "as in activation=relu seed=0 depth=5"},
    "first": {"type": Path, "metavar": "A", "help": "a results folder"},
    "second": {"type": Path, "nargs": "?", "metavar": "B", "help": "another; the committed edition if not said"},
    "--keep": {"metavar": "NAME", "help": "keep the conclusions of A in --results; its report then compares with them"},
    "--about": {"metavar": "TEXT", "help": "with --keep: the difference of A, such as its seeds or processor"},
    "images": {"nargs": "+", "type": Path, "metavar": "IMAGE", "help": "pictures of one digit each: PNG, JPEG, ..."},
    "--all": {"action": "store_true", "help": "list also the conclusions that agree"},
}
_DATA = ("--mnist", "--any-data")
_PLAN = (
    "experiments", "--target", "--seeds", "--first-seed", "--activations", "--quick", "--results", *_DATA,
    "--workers", "--scheduler",
)  # fmt: skip

_COMPARED = ("first", "second", "--all", "--keep", "--about", "--results")

_COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], str, tuple[str, ...]]] = {
    "all": (_all, "run every experiment of the target, then write the report", _PLAN),
    "run": (_run, "do the runs that are missing", _PLAN),
    "plan": (_plan, "what would run, and how long it would take", _PLAN),
    "report": (_report, "tables, figures and report from the records", ("--results",)),
    "verify": (_verify, "check every record's checksum and identity", ("--results",)),
    "compare": (_compare, "conclusions of two editions that agree or contradict", _COMPARED),
    "train": (_train, "one run of any settings, printed and recorded", ("settings", "--results", *_DATA)),
    "predict": (_predict, "which digit a picture shows, by the best network", ("images", "--results")),
    "activations": (_activations, "the registry", ()),
    "theory": (_theory, "what theory predicts for an activation", ("names",)),
    "data": (_show_data, "get MNIST and verify it", _DATA),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("study", description="The reference study of activation functions.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (function, text, options) in _COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        for option in options:
            command.add_argument(option, **_OPTIONS[option])
        command.set_defaults(command=function)
    return parser
