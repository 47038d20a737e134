"""Carry out each command of `study` with the `options` that `study.cli` reads, and return an exit code."""

import argparse
import functools
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from study.engine import environment
from study.errors import BAD_USAGE, DAMAGED, DONE, SOME_FAILED, FolderError
from study.runner.cores import usual_workers
from study.runner.progress import discard, say

CONTRADICTION = 1  # exit code of `study compare` if two editions contradict each other


def complain(message: str, code: int) -> int:
    """Write `message` to standard error and return `code`."""
    say(f"study: {message}")
    return code


def show(text: object) -> None:
    """Write `text` as a line to standard output; if nobody reads it (as after `| head`), discard it and later lines."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        discard(sys.stdout)


def make_all(options: argparse.Namespace) -> int:
    """Do the runs that are missing and write the report; if nothing has changed since this last succeeded, only say so.

    A last line says how the results compare with the committed ones. Return the larger exit code of `run` and `report`.
    """
    from study.report import finished

    command = {key: value for key, value in vars(options).items() if key not in ("command", "results", "mnist")}
    last_line = finished.last_line(options.results, finished.inputs_hash(options.results, command, options.mnist))
    if last_line is not None:
        say(f"0 runs done: nothing has changed since {options.results / 'README.md'} was written", sys.stdout)
        say(last_line, sys.stdout)
        return DONE
    code_before = finished.code_hash()
    code = run(options)
    inputs = finished.inputs_hash(options.results, command, options.mnist)  # now with the records of the new runs
    code = max(code, report(options))
    line = _comparison_line(options)
    say(line, sys.stdout)
    if code == DONE and finished.code_hash() == code_before:  # else these are not the results of the code on disk
        finished.note_finished(options.results, inputs, line)
    return code


def _comparison_line(options: argparse.Namespace) -> str:
    """Return a line that says how the results compare with the committed edition, or why they are not compared."""
    from study.report import editions

    if options.quick or options.seeds is not None or options.activations is not None:
        asked = "a quick look, or other seeds or activations, was asked for"
        return f"not compared with {editions.COMMITTED_NAME}: {asked}"
    return editions.comparison_in_one_line(options.results)


def run(options: argparse.Namespace) -> int:
    """Do the missing runs asked for, measure and time; return SOME_FAILED if one fails or an activation is refused."""
    from experiments import make_targets
    from study.records.store import stores
    from study.runner.request import read_plan
    from study.runner.session import run_experiments

    targets, code = make_targets(), DONE
    asked, names = read_plan(options, _registry(), targets)
    workers, why = _workers(options)
    if options.workers is None and options.scheduler is None:
        say(f"worker processes: {workers}, {why}")
    for store in stores(options.results):
        if here := [name for name in names if store.keeps_runs_of(targets[name])]:
            for failure in run_experiments(asked, _modules(here), store, _loader(options), workers, options.scheduler):
                code = complain(failure, SOME_FAILED)
    return code


def report(options: argparse.Namespace) -> int:
    """Write the report from the records, and say what is missing in it; return SOME_FAILED if anything is."""
    from experiments import by_name
    from study.report.assembly import write_report

    started = time.monotonic()
    missing = write_report(options.results, by_name())
    say(f"{options.results / 'README.md'} is written ({time.monotonic() - started:.0f} s)", sys.stdout)
    for line in missing:
        complain(line, SOME_FAILED)
    return SOME_FAILED if missing else DONE


def plan(options: argparse.Namespace) -> int:
    """Print how many runs of each experiment asked for are known and to do, and how long they take; return DONE."""
    from experiments import make_targets
    from study.runner.estimate import preview
    from study.runner.request import read_plan

    asked, names = read_plan(options, _registry(), make_targets())
    for line in preview(asked, _modules(names), options.results, _loader(options), _workers(options)[0]):
        show(line)
    return DONE


def verify(options: argparse.Namespace) -> int:
    """Print each damaged file and two counts; return DAMAGED if any is. Raise FolderError if the folder is missing."""
    from study.records.store import stores

    if not options.results.is_dir():
        raise FolderError(f"there is no folder {options.results}; name the folder of the results with --results")
    places = stores(options.results)
    problems = [problem for store in places for problem in store.problems()]
    for problem in problems:
        show(problem)
    count = sum(len(store.runs()) + len(store.document_names()) for store in places)
    show(f"{count} records and documents, {len(problems)} damaged")
    return DAMAGED if problems else DONE


def compare(options: argparse.Namespace) -> int:
    """Print how the conclusions of two editions compare; return CONTRADICTION if any contradict, else DONE.

    An edition is a results folder. Without a second one, the committed results are taken. `--keep` also writes the
    conclusions of the first edition as a document in --results.
    """
    from study.analysis import editions as rules
    from study.report import editions

    first = editions.read(options.first)
    if options.second is None:
        commit, second = editions.read_committed()
        name = f"{editions.COMMITTED_NAME}, {commit}"
    else:
        name, second = str(options.second), editions.read(options.second)
    if options.keep:
        editions.keep(first, options.keep, options.about or "", options.results / "records")
    found = rules.compare(first, second)
    for line in editions.comparison_lines(found, (str(options.first), name), options.all):
        show(line)
    return CONTRADICTION if (found["outcome"] == rules.CONTRADICTS).any() else DONE


def train(options: argparse.Namespace) -> int:
    """Do one run, unless recorded, and print its status, epochs and scores as JSON; return SOME_FAILED if it failed."""
    from study.records.store import stores
    from study.runner.request import check_activations, read_settings
    from study.runner.session import train_one

    settings = read_settings(options.settings)
    check_activations([settings.activation], _registry())
    result = train_one(settings, stores(options.results)[0], _loader(options))
    shown = ("status", "cause", "epochs", "last", "best")
    show(json.dumps({key: result[key] for key in shown if key in result}, indent=2))
    return DONE if result["status"] in ("done", "diverged") else SOME_FAILED


def predict(options: argparse.Namespace) -> int:
    """Print which digit each picture shows, and every digit's probability; return BAD_USAGE if a picture is refused."""
    environment.start_tensorflow()
    from study.networks import prediction

    found, problems = prediction.predict(options.images, options.results)
    if found:
        width = max(len(str(path)) for path in found)
        show(f"{'':{width}}  digit " + "".join(f"{digit:7d}" for digit in range(10)))
    for path, shares in found.items():
        show(f"{path!s:{width}}  {shares.argmax():5d} " + "".join(f"{share:7.1%}" for share in shares))
    for problem in problems:
        complain(problem, BAD_USAGE)
    return BAD_USAGE if problems else DONE


def list_activations(options: argparse.Namespace) -> int:
    """Print a line for each entry of the registry, or why it would be refused; return SOME_FAILED if one would be."""
    registry = _registry()

    def line(name: str) -> str:
        entry = registry[name]
        return f"{'*' if entry.studied else ' '} {name:12s} {entry.label:18s} {entry.source}"

    code = _print_accepted(registry, registry, line)
    show("* studied unless ACTIVATIONS says otherwise")
    return code


def _print_accepted(names: Iterable[str], registry: Mapping[str, Any], text: Callable[[str], str]) -> int:
    """Print `text(name)` for each of `names` whose entry of `registry` passes the study's checks.

    Write to standard error why each of the others would be refused. Return SOME_FAILED if there are any, else DONE.
    """
    from study.records.catalogue import check_entry, refusing

    code, refused = DONE, dict[str, str]()
    for name in names:
        with refusing(name, refused):
            check_entry(registry[name])
            found = text(name)
        if name in refused:
            code = complain(f"activation {name!r} would be refused: it {refused[name]}", SOME_FAILED)
        else:
            show(found)
    return code


def theory(options: argparse.Namespace) -> int:
    """Print what theory predicts for each named or else each studied activation, or why the study would refuse it."""
    from study.runner.request import check_activations, is_studied

    registry = _registry()
    names = options.names or [name for name, entry in registry.items() if is_studied(entry)]
    check_activations(names, registry)
    from study.theory.summary import describe

    return _print_accepted(names, registry, describe)


def show_data(options: argparse.Namespace) -> int:
    """Load MNIST, downloading it if necessary, and print its size, source and checksum."""
    data = _loader(options)()
    show(f"{len(data.training_labels)} training and {len(data.test_labels)} test images from {data.source}")
    show(f"SHA-256 of the arrays: {data.checksum}")
    return DONE


def _registry() -> dict[str, Any]:
    """Start TensorFlow, which the registry needs, and return the registry of activations by name."""
    environment.start_tensorflow()
    from study.activations import REGISTRY

    return REGISTRY


def _modules(names: Sequence[str]) -> dict[str, Any]:
    """Return {name: module} of the experiments `names`, in the order of the report."""
    from experiments import by_name

    return {name: module for name, module in by_name().items() if name in names}


def _loader(options: argparse.Namespace) -> Callable[[], Any]:
    """Return a function without arguments that loads MNIST from where `options` say."""
    from study.data.mnist import load

    return functools.partial(load, options.mnist, any_data=options.any_data)


def _workers(options: argparse.Namespace) -> tuple[int, str]:
    """Return how many worker processes to start, and the reason in words."""
    return usual_workers() if options.workers is None else (options.workers, "as asked for")
