"""Check the page on speed, its figures, and the task of the benchmark. No test takes a time."""

import itertools
import json
import math
import re
import sys
from typing import Any

import figure_data as data
import numpy as np
import pandas as pd
import pytest
from both_languages import render
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from experiments import speed
from study.analysis import benchmark
from study.figures import lines, style
from study.plan import Plan
from study.report.rendering import Page
from study.report.section import Evidence, Section
from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks import catalogue, contest, keras_fit, products, run, task
from tests.benchmarks.parent import ROOT, one_line
from tests.benchmarks.products import multiplications

NOBODY = style.Style({}, {})


def document(repeats: int = 3, cores: int = 2, missing: tuple[str, ...] = ()) -> dict[str, Any]:
    """Make up a measurement: contender number k takes k + 1 seconds per epoch and process, a tenth more each repeat."""
    rows = [
        {
            "contender": entry.name,
            "threads": cores if entry.every_core else 1,
            "processes": cores if entry.every_worker else 1,
            "measures": entry.measures,
            "validation": entry.validation,
            "repeat": repeat,
            "epochs": catalogue.EPOCHS,
            "images": catalogue.EPOCHS * 48_000 * (cores if entry.every_worker else 1),
            "seconds": catalogue.EPOCHS * (place + 1) * 1.1**repeat,
        }
        for repeat, (place, entry) in itertools.product(range(1, repeats + 1), enumerate(catalogue.ENTRIES))
        if entry.name not in missing
    ]
    told = [{"contender": name, "reason": "its packages could not be installed"} for name in missing]
    content = {"format": speed.FORMAT, "cores": cores, "rows": rows, "growth": growth(), "missing": told}
    content["memory"] = [{"bytes": most, "own_bytes": 4 * 10**8} for most in (5 * 10**8, 2 * 10**9, 10**9)]
    made = {"date": "2026-01-01", "cpu": "A <processor>", "system": "Linux", "peer_jax": "1.0"}
    return {"content": content, "provenance": {**made, "tensorflow": "2", "keras": "3", "numpy": "2"}}


def growth() -> list[dict[str, Any]]:
    """Make up times: depth ** 0.5 and width ** 2; compiling takes 3 s; eight runs take 8 s, shared fairly."""
    rows: list[dict[str, Any]] = []
    for quantity, values, power in (("depth", (1, 10, 50), 0.5), ("width", (32, 512), 2.0)):
        for value, repeat in itertools.product(values, (1, 2)):
            row = {"quantity": quantity, "value": value, "worker": 0, "repeat": repeat}
            rows.append({**row, "measure": "run", "seconds": value**power})
            rows.append({**row, "measure": "compile", "seconds": 3.0})
    for quantity, values, power in (("seeds", (1, 2, 4), 1.0), ("workers", (1, 2), -1.0)):
        for value in values:
            row = {"quantity": quantity, "value": value, "measure": "run", "worker": None, "repeat": 1}
            rows.append({**row, "runs": 8, "seconds": 8 * value**power})
    return rows


def concluded(found: dict[str, Any], **tables: pd.DataFrame) -> tuple[Section, Page]:
    """Return the section that a measurement and the tables of other sections lead to, and its page."""
    section = speed.conclude(Plan(()), Evidence(tables, {"bench": json.loads(json.dumps(found))}), NOBODY)
    return section, render(section, {})


def test_without_a_measurement_there_is_no_section() -> None:
    assert speed.conclude(Plan(()), Evidence({}), NOBODY) is None


def test_another_versions_measurement_is_not_read() -> None:
    """It may lack contenders or columns; the page says so, and nothing else."""
    old = document()
    del old["content"]["format"]
    section, page = concluded(old)
    assert page.answer.endswith("`make bench` measures again.")
    assert not page.body
    assert not section.tables


def test_every_contender_has_a_label() -> None:
    """The report knows the contenders that are measured, and the targets name no others."""
    names = [entry.name for entry in catalogue.ENTRIES]
    assert sorted(names) == sorted(speed.CONTENDERS)
    assert {name for target in speed.targets(2) for name in target[1:3]} <= set(names)


def test_images_a_second_and_ratios() -> None:
    """Contender k trains 48,000 images in k + 1 seconds in the first repeat, a tenth slower in each further one."""
    table = concluded(document())[0].tables["bench"].set_index("contender")
    first = catalogue.ENTRIES[0].name
    assert table.loc[first, "images_per_second"] == pytest.approx(48_000 / 1.1**2)
    assert table.loc[first, "lowest"] == pytest.approx(48_000 / 1.1**3)
    assert table.loc[first, "over_article"] == 1
    seconds = {entry.name: place + 1 for place, entry in enumerate(catalogue.ENTRIES)}
    for name, ratio in table["over_floor"].dropna().items():
        assert ratio == pytest.approx(seconds[str(name)] / seconds["products"]), name
    assert table["n"].eq(3).all()
    on_many = table["threads"] * table["processes"] > 1
    assert table.loc[on_many, "over_floor"].isna().all()
    assert table.loc[~on_many, "over_floor"].notna().all()


def test_ratios_are_taken_within_a_repeat() -> None:
    """A machine that slows down between repeats changes none; two more rows have the most memory of a worker."""
    found = concluded(document())[0].tables["bench_targets"]
    ratios = found[found["n"] == 3]
    assert len(ratios) == len(speed.targets(2))
    assert ratios["lowest"].to_numpy() == pytest.approx(ratios["highest"].to_numpy())
    assert found["ratio"].tolist()[len(ratios) :] == [2.0, 0.4]


@pytest.mark.parametrize(("sense", "is_met"), [("≥", [True, True, False]), ("≤", [False, True, True])])
def test_a_target_is_met_at_its_bound(sense: str, is_met: list[bool]) -> None:
    """By the median; narrowly if the bound is between the lowest and the highest repeat, met or missed."""
    assert [benchmark.target_row("", sense, 2.0, [value])[-2] for value in (2.5, 2.0, 1.5)] == is_met
    for value, met in zip((2.5, 1.5), (is_met[0], is_met[2]), strict=True):
        for spread, narrowly in ((0.4, False), (0.6, True)):
            repeats = [value - spread, value, value + spread]
            assert benchmark.target_row("", sense, 2.0, repeats)[-2:] == (met, narrowly)
    assert benchmark.target_row("", sense, float("nan"), [1.0])[-2:] == (None, False)


def test_how_the_products_gain_by_more_cores_is_told_and_not_judged() -> None:
    _, page = concluded(document())
    shown = page.displays[0].frame.set_index("Comparison")
    assert shown.loc["a process on each core: matrix products' speed over one process"].tolist()[1:] == ["–", "–"]
    met, missed, narrowly = (shown["Met?"].str.contains(word) for word in ("met", "missed", "narrowly"))
    assert met.sum() + missed.sum() == len(shown) - 1
    told = f"{met.sum()} are met ({(met & narrowly).sum()} narrowly) and {missed.sum()} are missed"
    assert page.answer.endswith(f"Of {len(shown) - 1} targets of speed and memory, {told} (0 narrowly).")


def test_a_power_law_is_found() -> None:
    """3 x^1.7 exactly; with noise, the interval holds the exponent; one x has none."""
    x = np.array([1.0, 2.0, 5.0, 10.0])
    assert benchmark.power_law(x, 3 * x**1.7) == pytest.approx((3, 1.7, 1.7, 1.7))
    noisy = 3 * x**1.7 * np.exp([0.1, -0.1, 0.1, -0.1])
    _, _, low, high = benchmark.power_law(x, noisy)
    assert low < 1.7 < high
    assert all(map(math.isnan, benchmark.power_law(np.ones(3), np.ones(3))))
    _, exponent, low, high = benchmark.power_law(x[:2], x[:2])
    assert (exponent, math.isnan(low), math.isnan(high)) == (pytest.approx(1), True, True)


def test_the_forecast_is_the_sum_that_it_tells() -> None:
    """100 runs of one epoch a worker, a second each, and four programs of 3 s; further epochs as engine_validation."""
    users = ["baseline", "few_seeds baseline", "depth"]
    runs = pd.DataFrame({"experiments": users, "status": "done", "epochs": [3, 5, 1]})
    section, page = concluded(document(), runs=runs)
    found = section.tables["forecast"].set_index("case")
    assert found.loc["one epoch", "hours"] == pytest.approx((100 * 1 + 4 * 3) / 3600)
    further = found["epoch_seconds"].iloc[0]
    assert found.loc["the article's protocol", "hours"] == pytest.approx((100 * (1 + 3 * further) + 4 * 3) / 3600)
    assert "minutes for runs of one epoch (1.00 s a run); " in page.body
    assert "minutes for runs of the article's protocol (4.0 epochs, " in page.body
    assert list(concluded(document())[0].tables["forecast"]["case"]) == ["one epoch"]


def test_the_page_shows_every_row() -> None:
    """Without the peers too, and then it names them and the reason. The processor's name is shown as it is."""
    peers = tuple(entry.name for entry in catalogue.ENTRIES if entry.python == catalogue.PEERS)
    for gone in ((), peers):
        section, page = concluded(document(missing=gone))
        assert len(section.tables["bench"]) == len(catalogue.ENTRIES) - len(gone)
        shown = {display.name: len(display.frame) for display in page.displays}
        assert shown == {name: len(section.tables[name]) for name in ("bench_targets", "bench", "growth_exponents")}
        assert [picture.name for picture in page.pictures] == ["bench", "growth"]
        told = "Not measured: PyTorch, eager (its packages could not be installed); "
        assert (told in page.body) == ("Not measured" in page.body) == bool(gone)
        assert "2026-01-01, A &lt;processor&gt;, 2 cores, Linux; TensorFlow 2, " in page.body


def test_make_bench_prints_the_page() -> None:
    """Its answer, and a line for every contender."""
    printed = run.shown(document())
    assert " targets of speed and memory, " in printed
    assert [label for label in speed.CONTENDERS.values() if f"| {label} |" not in printed] == []


def test_growth_of_nothing_has_no_sign_and_a_short_axis_whole_ticks() -> None:
    """An exponent near 0 is 0.00, not -0.00; its bounds round outward; from 0.9 to 4 s the ticks are 1, 2, 3 and 4."""
    measured = pd.DataFrame({"value": [1, 2], "measure": "run", "seconds": [1.35, 2.7]})
    rows = pd.concat([measured.assign(quantity=quantity) for quantity in lines.GROWTH_LABELS])
    law = {"factor": 2.0, "exponent": -0.001, "ci_low": -0.004, "ci_high": 0.003}
    fitted = pd.DataFrame([{"quantity": quantity, "measure": "run", **law} for quantity in lines.GROWTH_LABELS])
    for panel in lines.growth(rows, fitted).axes:
        assert [text.get_text() for text in panel.texts] == ["runs: 0.00 [-0.01, 0.01]"]
        assert [label.get_text() for label in panel.get_yticklabels()] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("repeats", [1, 5])
def test_nothing_is_clipped_or_too_small(repeats: int) -> None:
    """Every text of both figures lies on the page, at 8 points or more; the panels lie apart."""
    for drawing in concluded(document(repeats))[0].figures.values():
        figure = drawing.draw()
        renderer = FigureCanvasAgg(figure).get_renderer()
        texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible()]
        assert min(text.get_fontsize() for text in texts) >= 8
        assert not any("…" in text.get_text() for text in texts)
        boxes = [panel.get_tightbbox(renderer) for panel in figure.axes]
        low, high = (np.array([end(box) for box in boxes]) for end in (lambda box: box.min, lambda box: box.max))
        assert (low >= -1).all()
        assert (high <= figure.bbox.max + 1).all()
        for a, b in itertools.combinations(boxes, 2):
            assert min(a.x1, b.x1) - max(a.x0, b.x0) < 2 or min(a.y1, b.y1) - max(a.y0, b.y0) < 2


def test_every_repeat_is_drawn() -> None:
    """One small point a repeat and one median a contender."""
    (panel,) = concluded(document(4))[0].figures["bench"].draw().axes
    assert len(data.offsets(panel)) == 4 * len(catalogue.ENTRIES)
    assert len(data.marked_lines(panel)) == len(catalogue.ENTRIES)


def test_the_floor_is_the_products_of_training() -> None:
    """By hand: each layer's forward product and its weights'; its inputs' for all layers but the first."""
    kernels = [784 * 100, 100 * 100, 100 * 100, 100 * 10]
    assert multiplications() == 100 * (2 * sum(kernels) + sum(kernels[1:]))
    for _, left, right, result in products.products():
        assert (np.zeros(left) @ np.zeros(right)).shape == result


@pytest.mark.parametrize("number", [1, 2, 15])
def test_contenders_take_turns(number: int) -> None:
    """Each trains the ten epochs of a run once, in order, one a round, but for model.fit's single calls."""
    order = contest.turns(catalogue.ENTRIES, number)
    for entry in catalogue.ENTRIES:
        assert [epoch for other, epochs in order if other is entry for epoch in epochs] == list(range(1, 11))
    by_epoch = [entry for entry, epochs in order if len(epochs) == 1]
    rounds = [by_epoch[first : first + 12] for first in range(0, 120, 12)]
    assert len(by_epoch) == 120
    assert all(len(set(turn)) == 12 for turn in rounds)
    assert len({turn[0] for turn in rounds}) == 10
    assert {entry.module for entry, epochs in order if len(epochs) > 1} == {"keras_fit"}
    assert contest.turns(catalogue.ENTRIES, number + 1)[0] != order[0]


def test_workers_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two, one slow in the odd epochs and one in the even ones, each takes as long as its own epochs together."""

    def answers(self: contest.Contest, entry: catalogue.Entry, epochs: range) -> list[dict[str, Any]]:
        return [{"seconds": 3.0 if epochs[0] % 2 == worker else 1.0} for worker in range(2)]

    monkeypatch.setattr(contest.Contest, "_answers", answers)
    held = contest.Contest([0, 1], None, lambda text: None)
    held.entries = [entry for entry in catalogue.ENTRIES if entry.name == "engine_machine"]
    child: Any = None  # is not asked: the answers are made up
    held.children = {"engine": [child, child]}
    (row,) = held.repeat(1)
    assert (row["seconds"], row["images"], row["processes"]) == (5 * 3.0 + 5 * 1.0, 10 * 48_000 * 2, 2)


def test_the_task_is_the_engines_own() -> None:
    """The same network, optimiser and work an epoch as the default settings, which are the article's."""
    from study.settings import Settings

    settings = Settings(activation="relu", seed=0)
    assert (784, *settings.widths, 10) == task.SIZES
    assert (settings.batch, settings.learning_rate, settings.epsilon) == (task.BATCH, task.LEARNING_RATE, task.EPSILON)
    assert settings.validation == task.VALIDATION
    assert [kernel.shape for kernel, _ in task.initial_parameters()] == list(itertools.pairwise(task.SIZES))


def test_an_epoch_takes_every_image_once() -> None:
    """In another order each time."""
    orders = task.Orders()
    first, second = orders(), orders()
    assert first.shape == (task.STEPS, task.BATCH)
    assert (np.sort(first.ravel()) == np.arange(task.TRAINING)).all()
    assert (first != second).any()


def test_the_logged_steps_are_the_engines() -> None:
    """In every epoch of a run."""
    from study.engine.run_log import logged_steps

    for epoch in range(1, catalogue.EPOCHS + 1):
        of_engine = logged_steps(epoch, task.STEPS)
        np.testing.assert_array_equal(task.is_logged(epoch), of_engine[:-1])


def test_keras_sees_the_bytes_as_floats() -> None:
    """In [0, 1], as the article's script prepares them."""
    images, labels = keras_fit._floats(np.array([[0, 255]], np.uint8), np.array([7], np.uint8))
    assert (images.dtype, images.tolist(), labels.tolist()) == (np.float32, [[0.0, 1.0]], [7])


def test_worker_counts_end_with_every_core() -> None:
    assert [catalogue.worker_counts(cores) for cores in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_a_reason_names_no_folder() -> None:
    """One line, and of a path its last part alone."""
    assert one_line("ImportError: /home/someone/lib.so.1: no such file\nmore") == "ImportError: lib.so.1: no such file"
    assert one_line("") == ""


def test_the_peers_lock_names_no_place() -> None:
    """Names, versions, markers and hashes alone, as in the study's own lock; and every peer is in it, pinned."""
    text = (ROOT / "requirements-bench.lock").read_text()
    assert not re.findall(r"://|file:| @ |--(?!hash=sha256:)[a-z-]+", text)
    assert {"jax", "jaxlib", "numpy", "torch"} <= set(re.findall(r"^([a-z-]+)==[\d.]+ ", text, re.MULTILINE))


@pytest.mark.parametrize("option", ["--repeats", "--growth-repeats"])
def test_no_repeats_are_refused_before_any_work(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The option, the number and what is allowed; the data are not even looked for."""
    monkeypatch.setattr(sys, "argv", ["bench", option, "0", "--mnist", "nowhere"])
    with pytest.raises(SystemExit):
        benchmarks.main()
    assert f"{option} is 0; it must be at least 1" in capsys.readouterr().err
