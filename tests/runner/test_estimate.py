"""The time of a study is estimated from the cost of its runs and a pace measured on this machine."""

import functools
import math
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fake_records
import pytest

from study.plan import Plan
from study.records.identity import identity
from study.records.store import Store, make_record
from study.runner import estimate
from study.runner.order import PROGRAM_COST, cost_per_worker, run_cost
from study.runner.progress import duration
from study.runner.rounds import Rounds
from study.settings import Settings

RUN = functools.partial(Settings, activation="relu", seed=0, validation=12_000)
LATE = 10_000  # the first seed of a second round
# Seconds of a further epoch, one process on an idle core with AVX-512.
SECONDS = {
    RUN(): 0.30, RUN(optimizer="sgd"): 0.28, RUN(activation="gelu"): 0.31, RUN(precision="float64"): 0.68,
    RUN(depth=1): 0.20, RUN(depth=5): 0.38, RUN(depth=20): 1.13, RUN(depth=50): 2.86,
    RUN(depth=20, normalization="batch"): 1.60, RUN(depth=20, normalization="layer"): 1.40,
    RUN(depth=8, width=128, batch=128, validation=5000): 0.79,
    RUN(depth=8, width=128, batch=128, validation=5000, dropout=0.5): 1.04,
    RUN(depth=8, width=128, batch=64, optimizer="sgd"): 0.77,
    RUN(depth=2, width=512, validation=5000): 2.10,
    RUN(depth=4, width=(512, 256, 256, 128), batch=256): 1.79,
}  # fmt: skip


@pytest.mark.parametrize("settings", SECONDS)
def test_an_epoch_costs_what_it_was_measured_to_take(settings: Settings) -> None:
    """Within a factor of 1.5, at one pace for networks of any depth, width, optimiser and normalisation."""
    two, one = replace(settings, epochs=2), replace(settings, epochs=1)
    assert abs(math.log((run_cost(two) - run_cost(one)) * estimate.USUAL_PACE / SECONDS[settings])) < math.log(1.5)


def test_a_run_is_counted_once_and_so_is_its_program() -> None:
    """Two seeds share a program; an early end is not foreseen; noise costs a little; no epoch costs the least."""
    runs = [RUN(seed=0), RUN(seed=1), RUN(seed=0)]
    assert cost_per_worker(runs, 1) == pytest.approx(2 * run_cost(RUN()) + PROGRAM_COST)
    assert run_cost(RUN(epochs=3000)) == run_cost(RUN(epochs=2000))
    rising = [run_cost(RUN(epochs=0)), run_cost(RUN(epochs=1)), run_cost(RUN(epochs=1, noise=(0.5,)))]
    assert sorted({*rising, run_cost(RUN(epochs=2))}) == [*rising, run_cost(RUN(epochs=2))]


def test_runs_are_not_divided_among_workers() -> None:
    """Three long runs take two workers as long as two runs; a fourth takes no longer. Short ones fill the gaps."""
    runs = [RUN(seed=seed, epochs=100) for seed in range(4)]
    long = run_cost(runs[0])
    found = [cost_per_worker(runs[:count], 2) for count in range(1, 5)]
    assert found == pytest.approx([long, long, 2 * long, 2 * long], abs=PROGRAM_COST)
    assert cost_per_worker([*runs[:3], RUN(seed=9, epochs=1)], 2) == found[2]
    assert cost_per_worker(runs, 0) == cost_per_worker(runs, 1)
    assert cost_per_worker([], 2) == 0


def rounds(plan: Plan, so_far: list[Any]) -> list[Settings]:
    """Ask for two seeds, then for two late ones."""
    seeds = {record["identity"]["settings"]["seed"] for record in so_far}
    start = LATE if seeds else 0
    return [] if LATE in seeds else [RUN(seed=start + seed, epochs=1) for seed in range(plan.seeds or 2)]


def expected(plan: Plan) -> list[Settings]:
    return [RUN(seed=start + seed, epochs=1) for start in (0, LATE) for seed in range(plan.seeds or 2)]


MODULES = {"short": SimpleNamespace(rounds=rounds), "long": SimpleNamespace(rounds=rounds, expected=expected)}


def followed(folder: Path, seeds: int | None = None) -> Rounds:
    about = {"label": "ReLU", "formula": "z", "source": "made up", "fingerprint": "function", "theory": {}}
    catalogue: Any = SimpleNamespace(descriptions=lambda _: {"relu": about}, data=SimpleNamespace(checksum="data"))
    return Rounds(MODULES, Plan(("relu",), seeds), catalogue, Store(folder))


def test_work_includes_the_rounds_that_an_experiment_expects(tmp_path: Path) -> None:
    """Runs that two experiments share, also later ones, count once; what has a record costs nothing, in any command."""
    run = run_cost(RUN(epochs=1))
    begun, another = followed(tmp_path), followed(tmp_path)
    another.experiments = {**another.experiments, "as long": MODULES["long"]}
    missing = begun.advance()  # one program, and `long`'s later round
    assert begun.remaining_cost(missing) == pytest.approx(2 * run + PROGRAM_COST + 2 * run)
    assert another.remaining_cost(another.advance()) == begun.remaining_cost(missing)
    for job in missing["long"].values():
        begun.store.write(make_record(job.identity, job.activation, fake_records.result(job.settings), {}))
    resumed = followed(tmp_path)
    missing = resumed.advance()
    assert {job.settings.seed for job in missing["short"].values()} == {LATE, LATE + 1}
    assert resumed.remaining_cost(missing) == pytest.approx(2 * run + PROGRAM_COST)
    for seed in (LATE, LATE + 1):
        settings = RUN(seed=seed, epochs=1)
        resumed.store.write(make_record(identity(settings, "data", "function"), {}, fake_records.result(settings), {}))
    assert followed(tmp_path).advance() == {}


def test_a_failed_run_of_this_command_is_not_asked_for_again(tmp_path: Path) -> None:
    """A record of failure ends its run within one command; the next command does it again."""
    asked = followed(tmp_path)
    for job in asked.advance()["long"].values():
        record = make_record(job.identity, job.activation, {"status": "failed", "cause": "no reason"}, {})
        asked.known |= {record["id"]: asked.store.write(record)}
    assert {job.settings.seed for job in asked.advance()["long"].values()} == {LATE, LATE + 1}
    assert {job.settings.seed for job in followed(tmp_path).advance()["long"].values()} == {0, 1}


def test_time_is_work_times_pace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is shared by the processes, the report's is not; a smaller study is named if it is smaller."""
    monkeypatch.setattr(estimate, "pace", lambda *_: 1e-5)
    asked = followed(tmp_path, seeds=2000)
    run = run_cost(RUN(epochs=1))
    of_all = duration(((4000 * run + PROGRAM_COST) / 2 + estimate.REPORT_COST) * 1e-5)
    of_five = duration((cost_per_worker(expected(Plan((), 5)), 2) + estimate.REPORT_COST) * 1e-5)
    told = estimate.time_in_words(asked, asked.advance(), workers=2)
    smaller = f"smaller studies, counting all their runs: SEEDS=5 about {of_five}"
    assert told == f"this takes about {of_all} on this machine; {smaller}"
    asked = followed(tmp_path, seeds=5)
    assert "SEEDS=5" not in estimate.time_in_words(asked, asked.advance(), workers=2)


def test_the_machine_is_measured_only_for_much_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Little work has the usual pace; so has much if measuring fails, which is said and stops nothing."""
    much = 2 * estimate.LEAST_SECONDS / estimate.USUAL_PACE
    monkeypatch.setattr(estimate, "_measured_pace", lambda workers, data: 3.0)
    assert estimate.pace(much, 1, None) == 3.0
    assert estimate.pace(much / 4, 4, None) == estimate.USUAL_PACE
    monkeypatch.setattr(estimate, "_measured_pace", lambda workers, data: 1 / 0)
    assert estimate.pace(much, 1, None) == estimate.USUAL_PACE
    assert "could not measure this machine (ZeroDivisionError" in capsys.readouterr().err


def test_the_measurement_trains_the_articles_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace is the seconds of its epoch over the epoch's work, here with epochs of 0.4 s; compiling is left out."""
    from study.engine import run

    now, seen = [0.0], []

    class Run:
        def __init__(self, settings: Settings, data: Any, activation: Any) -> None:
            seen.append(settings)
            self.settings, self.state, self.validation = settings, None, None

        def warm_up(self) -> None:
            now[0] += 5

        def epoch(self, number: int) -> None:
            now[0] += 0.3

        def evaluate(self, state: Any, images: Any) -> None:
            now[0] += 0.1

    monkeypatch.setattr(run, "Run", Run)
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    measured = estimate.seconds_per_unit(None)
    assert seen == [RUN()]
    assert measured == pytest.approx(0.4 / (run_cost(RUN(epochs=2)) - run_cost(RUN(epochs=1))))
    assert now[0] < 5 + estimate.PROBE_SECONDS + 0.5
