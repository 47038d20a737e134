"""The cost of an activation: the bytes counted, the passes and steps timed, and the tables and page of the timings."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from both_languages import render
from fake_studies import STYLE
from scipy import stats

from experiments import cost
from study.activations import REGISTRY
from study.analysis import cost as cost_tables
from study.cost import stopwatch as costs
from study.cost.memory import kept_bytes
from study.plan import Plan
from study.report.rendering import Page
from study.report.section import Evidence, Section

TINY = costs.Sizes(shape=(4, 5), passes=3, large=64, large_passes=2, updates=3, repeats=2)
SPEED = {"copy": 0.5, "relu": 1.0, "sigmoid": 2.0, "gelu": 4.0, "swish": 2.5}  # ns, or ms for a step


@pytest.mark.parametrize("name", REGISTRY)
def test_what_is_kept_is_whole_tensors(name: str) -> None:
    """At most the own output, of four bytes per element, and some others."""
    found = kept_bytes(REGISTRY[name].function)
    assert found["output_bytes"] in (0, 4)
    assert 0 <= found["other_bytes"] <= 32


@pytest.mark.parametrize(
    ("function", "output", "other"),
    [
        (tf.nn.relu, 4, 0),  # the gradient is where the output is above 0
        (tf.math.sigmoid, 4, 0),  # s (1 - s)
        (tf.identity, 0, 0),
        (lambda z: 3 * z + 1, 0, 0),  # a constant slope
        (tf.math.square, 0, 4),  # 2 z
        (lambda z: z * tf.math.sigmoid(z), 0, 8),  # z, and the sigmoid twice, which is one tensor
        (lambda z: tf.where(z > 0, z, 0.1 * z), 0, 1),  # which side each is on: one byte
        (lambda z: tf.math.tanh(tf.identity(z)) + tf.zeros_like(z), 0, 4),  # tanh's output, which is not the last
        (lambda z: tf.math.sin(z) * tf.cast(tf.shape(z)[0], z.dtype), 0, 4),  # a shape is not a value
    ],
    ids=["relu", "sigmoid", "linear", "affine", "square", "swish", "where", "inner", "shape"],
)
def test_bytes_that_can_be_counted_by_hand(function: costs.Function, output: float, other: float) -> None:
    assert kept_bytes(function) == {"output_bytes": output, "other_bytes": other}


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return costs.measure(["relu", "swish"], sizes=TINY)


def test_every_activation_is_timed_in_every_repeat(measured: dict[str, Any]) -> None:
    """Both directions on both sizes, a copy beside them, and the training step; all of it plain JSON, and read."""
    rows = pd.DataFrame(json.loads(json.dumps(measured))["timings"])
    elementwise = rows[rows["quantity"] != "step"]
    assert len(elementwise) == 2 * 2 * 3 * TINY.repeats
    assert set(elementwise["elements"]) == {20, 64}
    assert len(rows) - len(elementwise) == 2 * TINY.repeats
    assert not rows.duplicated(["activation", "quantity", "elements", "repeat"]).any()
    assert (rows["seconds"] > 0).all()
    assert measured["about"]["updates_an_epoch"] == 480
    assert {row["activation"] for row in measured["memory"]} == {"relu", "swish"}
    firsts = rows[rows["quantity"] == "step"].groupby("repeat")["activation"].first()
    assert firsts.tolist() == ["relu", "swish"], "activations take turns in being first"
    evidence = Evidence({}, {"cost": {"content": measured, "provenance": {}}})
    section = cost.conclude(Plan(("relu", "swish")), evidence, STYLE)  # reads what the stopwatch returns
    assert (section.tables["cost"]["step_ms"] > 0).all()


def test_each_pass_is_the_engines() -> None:
    """The passes timed return phi, and its gradient times the upstream one."""
    z = tf.constant([[-1.0, 2.0], [3.0, -4.0]])
    assert costs._forward(tf.math.square, z[0], z[1]).numpy().tolist() == [1.0, 4.0]
    assert costs.vector_jacobian_product(tf.math.square, z[0], z[1]).numpy().tolist() == [-6.0, -16.0]


def test_forward_and_backward_are_the_sum_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every activation on both sizes, where a forward pass takes 2 seconds and a backward pass 3."""
    seconds = {costs._forward: 2.0, costs.vector_jacobian_product: 3.0}
    monkeypatch.setattr(costs, "_looped", lambda step, *_: lambda: seconds[step])
    timings = costs._elementwise({"relu": REGISTRY["relu"]}, TINY)
    found = {(quantity, name): t() for (quantity, _), of in timings.items() for name, t in of.items()}
    assert found == {
        (q, name): s for q, s in (("forward", 2.0), ("forward_backward", 5.0)) for name in ("relu", "copy")
    }
    assert len(timings) == 4


@pytest.mark.parametrize("step", [costs._forward, costs.vector_jacobian_product])
def test_more_passes_take_longer(step: Any) -> None:
    """No pass is left out by the compiler: fifty times as many take at least five times as long."""
    bank = tf.random.stateless_normal((2, 50_000), seed=(1, 2))

    def seconds(passes: int) -> float:
        timing = costs._looped(step, tf.math.erf, bank, passes)
        timing()
        return min(timing() for _ in range(5)) * passes

    assert seconds(1000) > 5 * seconds(20)


def document(names: tuple[str, ...] = ("relu", "sigmoid", "gelu", "swish"), repeats: int = 5) -> dict[str, Any]:
    """Timings of SPEED, a tenth slower in each repeat; the large tensor takes three times as long."""
    kinds = [(kind, size) for kind in ("forward", "forward_backward") for size in (100, 900)] + [("step", None)]
    unit = {"step": 1e-3}
    timings = [
        {
            "activation": name, "quantity": kind, "elements": size, "repeat": repeat,
            "seconds": SPEED.get(name, 3.0) * (1 + 0.1 * repeat) * (3 if size == 900 else 1) * unit.get(kind, 1e-9),
        }
        for repeat in range(repeats)
        for kind, size in kinds
        for name in (*names, *["copy"] * (kind != "step"))
    ]  # fmt: skip
    memory = [{"activation": name, "output_bytes": 4.0, "other_bytes": 8.0} for name in names]
    about = {"updates": 240, "repeats": repeats, "updates_an_epoch": 480}
    content = {"timings": timings, "memory": memory, "about": about, "basis": {}}
    return {"content": content, "provenance": {"environment": {"cpu": "A*Processor"}}}


def test_a_ratio_is_uncertain_by_what_differs_between_processes() -> None:
    """Repeats of a process agree to the bit, processes do not: the interval is Student's t over processes, of logs."""
    ratios = [0.8, 1.0, 1.1]
    timings = pd.DataFrame(
        [
            {"activation": name, "repeat": 2 * process + repeat, "process": process, "seconds": seconds}
            for process, ratio in enumerate(ratios)
            for repeat in (0, 1)
            for name, seconds in (("relu", 1.0), ("swish", ratio))
        ]
    )
    found = cost_tables.time_ratio(timings, "swish", "relu")
    logs = np.log(ratios)
    expected = stats.t.interval(0.95, len(logs) - 1, logs.mean(), stats.sem(logs))
    assert found.n == len(ratios)
    assert np.log([found.low, found.high]) == pytest.approx(expected)
    assert found.low < 1 < found.high


def trained(names: tuple[str, ...], reaches: int = 2, epochs: int = 4) -> dict[str, pd.DataFrame]:
    """Two seeds per activation, whose validation accuracy reaches the level in epoch `reaches`; other experiments'."""
    keys = [(name, seed) for name in names for seed in (0, 1)]
    runs = pd.DataFrame(keys, columns=["activation", "seed"]).assign(
        experiments="baseline few_seeds", status="done", epochs=float(epochs), test_accuracy=0.9 + 0.06
    )
    history = pd.DataFrame(
        {
            "activation": name, "seed": seed, "epoch": epoch, "experiment": "baseline",
            "validation_accuracy": cost_tables.LEVEL_TO_REACH if epoch >= reaches else 0.5,
        }
        for name, seed in keys
        for epoch in range(1, epochs + 1)
    )  # fmt: skip
    others = {"runs": runs.assign(experiments="other"), "history": history.assign(experiment="other")}
    return {name: pd.concat([frame, others[name]]) for name, frame in (("runs", runs), ("history", history))}


def conclude(
    names: tuple[str, ...], tables: dict[str, pd.DataFrame] | None = None, repeats: int = 5
) -> tuple[Section, Page]:
    found = trained(names) if tables is None else tables
    section = cost.conclude(Plan(names), Evidence(found, {"cost": document(names, repeats)}), STYLE)
    return section, render(section, STYLE.labels)


def test_without_timings_there_is_no_section() -> None:
    assert cost.conclude(Plan(("relu",)), Evidence({}), STYLE) is None
    assert cost.conclude(Plan(("tanh",)), Evidence({}, {"cost": document()}), STYLE) is None


def test_medians_quartiles_and_ratios_are_those_of_the_repeats() -> None:
    """Repeats of 1.0 to 1.4 ns: median 1.2, quartiles 1.1 and 1.3; GELU, the slowest, takes four times as long."""
    section, page = conclude(("relu", "sigmoid", "gelu", "swish"))
    table = section.tables["cost"].set_index("activation")
    columns = ["forward_backward_ns", "forward_backward_ns_q1", "forward_backward_ns_q3"]
    assert table.loc["relu", columns].tolist() == pytest.approx([1.2, 1.1, 1.3])
    assert table.loc["relu", "large_forward_ns"] == pytest.approx(3.6)
    assert table.loc["gelu", "step_ms"] == pytest.approx(4.8)
    ratio = ["forward_backward_ratio", "forward_backward_low", "forward_backward_high"]
    assert table.loc["gelu", ratio].tolist() == pytest.approx([4, 4, 4])
    assert math.isnan(table.loc["relu", "step_ratio"])
    assert page.displays[1].frame["and backward, ns"].iloc[0] == "1.20 (1.10, 1.30)"
    assert page.answer == (
        "On one CPU thread, a training step takes an estimated 2.00 to 4.00 times as long as ReLU's: certainly longer "
        "with Sigmoid, GELU, Swish. GELU alone takes 4.0 times as long on small tensors, 4.0 on large; steps are "
        "mostly matrix products."
    )


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        ([0.9, 0.8], [1.1, 1.2], ": no difference is certain."),
        ([1.0, 1.1], [1.1, 1.2], ": certainly longer with GELU."),
        ([0.8, 1.1], [0.9, 1.2], ": certainly longer with GELU, certainly shorter with Sigmoid."),
    ],
)
def test_a_difference_is_certain_only_if_its_interval_excludes_1(
    low: list[float], high: list[float], said: str
) -> None:
    """Whatever the estimates are; intervals of the sigmoid's and GELU's steps are given, the estimates made up."""
    section, _ = conclude(("relu", "sigmoid", "gelu"))
    table = section.tables["cost"].assign(step_low=[math.nan, *low], step_high=[math.nan, *high])
    page = render(replace(section, tables={**section.tables, "cost": table}), STYLE.labels)
    assert said in page.answer


def test_a_ratio_is_paired_by_repeat() -> None:
    """Times 1, 10 and 100 against 2, 20 and 200: a half in every repeat, however the machine slowed down."""
    rows = [("a", 1), ("a", 10), ("a", 100), ("b", 2), ("b", 20), ("b", 200)]
    frame = pd.DataFrame(rows, columns=["activation", "seconds"]).assign(repeat=[0, 1, 2] * 2)
    found = cost_tables.time_ratio(frame, "a", "b")
    assert (found.estimate, found.low, found.high, found.n) == pytest.approx((0.5, 0.5, 0.5, 3))


@pytest.mark.parametrize(("reaches", "shown"), [(2, ["2 of 2", "1.15"]), (9, ["0 of 2", "–"])])
def test_seconds_are_epochs_times_steps(reaches: int, shown: list[str]) -> None:
    """2 epochs of 480 steps of 1.2 ms are 1.152 s until 95%, if it is reached; 4 are 2.304 s in all, for 86 points."""
    section, page = conclude(("relu", "gelu"), trained(("relu", "gelu"), reaches))
    row = section.tables["cost"].set_index("activation").loc["relu"]
    assert row["training_seconds"] == pytest.approx(2.304)
    assert row["points_per_second"] == pytest.approx(86 / 2.304)
    assert page.displays[-1].frame.iloc[0].tolist()[1:3] == shown


def test_a1_is_relu_against_the_cheapest_other() -> None:
    """1.0 to the sigmoid's 2.0: reproduced, and not against a copy; the whole network's step stands beside it."""
    judgement, of_step = conclude(("relu", "sigmoid", "gelu"))[0].judgements
    assert (of_step.part, of_step.verdict) == ("step", "beside")
    assert judgement.measured.estimate == pytest.approx(0.5)
    assert (judgement.claim, judgement.part, judgement.verdict) == ("A1", "elementwise", "reproduced")
    assert "sigmoid" in judgement.remark
    assert conclude(("relu",))[0].judgements == conclude(("sigmoid", "gelu"))[0].judgements == []
