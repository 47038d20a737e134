"""From the tables alone, with pandas and scipy and none of the study's code, a reader finds the same statistics."""

import itertools
import math
import zlib

import fake_records
import numpy as np
import pandas as pd
import pytest
from fake_studies import STYLE, measured
from scipy import stats

from experiments import baseline, learning_rate, robustness
from study.constants import FIRST_FRESH_SEED
from study.plan import Plan
from study.records.frames import all_runs
from study.report import columns, formatting
from study.report.page import joined_tables
from study.settings import Settings

NAMES = ("relu", "sigmoid", "gelu", "swish")
SEEDS = 8
METRICS = {
    "baseline": "test_accuracy", "baseline_best": "best_test_accuracy", "learning_rate": "best_test_accuracy",
    "robustness": "noise_accuracy", "robustness_own": "noise_accuracy",
}  # fmt: skip
KEYS = ["activation", "learning_rate", "seed"]
UNITS = ("final_units", "final_units_runs")
Tables = dict[str, pd.DataFrame]


def accuracy(settings: Settings) -> float:
    """Draw it from the settings; a tuned sigmoid and ReLU each lose a seed."""
    if (settings.activation, settings.seed) in (("sigmoid", FIRST_FRESH_SEED), ("relu", FIRST_FRESH_SEED + 1)):
        return math.nan
    key = f"{settings.activation} {settings.seed} {settings.learning_rate}"
    rise = 0.004 * NAMES.index(settings.activation) - 0.01 * abs(math.log10(settings.learning_rate) + 2.5)
    return 0.95 + rise + 0.003 * np.random.default_rng(zlib.crc32(key.encode())).normal()


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Return the CSV files of a made-up study, read back."""
    folder, plan = tmp_path_factory.mktemp("tables"), Plan(NAMES, SEEDS)
    records = fake_records.all_rounds(learning_rate.rounds, plan, accuracy, measured)
    runs = [Settings(**record["identity"]["settings"]) for record in records]
    of_baseline = [record for record, s in zip(records, runs, strict=True) if s in baseline.rounds(plan, [])]
    used = {"baseline": of_baseline, "learning_rate": records, "robustness": records}
    modules = {"baseline": baseline, "learning_rate": learning_rate, "robustness": robustness}
    found = joined_tables([modules[name].interpret(plan, of, STYLE) for name, of in used.items()])
    for name, frame in {**found, "runs": all_runs(used)}.items():
        (folder / f"{name}.csv").write_bytes(formatting.csv(frame))
    return {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}


def noise_values(tables: Tables) -> pd.DataFrame:
    """Return activation, learning_rate, seed and `v`, the mean accuracy under noise, of every run to the end."""
    noisy = tables["noise_runs"][tables["noise_runs"]["amplitude"] > 0]
    return noisy.groupby(KEYS)["test_accuracy"].mean().reset_index(name="v")


def one_rate(tables: Tables) -> float:
    """Return the rate that most seeds chose for ReLU, at which all activations of this study ran."""
    chosen = tables["rates_chosen"].query("activation == 'relu'")
    return float(chosen.loc[chosen["seeds_chosen"].idxmax(), "learning_rate"])


def values(tables: Tables, family: str) -> pd.DataFrame:
    """Return activation, seed and the metric of every finished run of a family, from the tables of single runs."""
    runs = tables["runs"]
    if family == "robustness":
        return noise_values(tables).query("learning_rate == @one_rate(@tables)").drop(columns="learning_rate")
    if family in ("learning_rate", "robustness_own"):
        fresh = runs[runs["amplitudes"].notna()].sort_values("learning_rate")
        by_run = fresh.assign(preferred=fresh["best_validation_accuracy"].fillna(0))
        runs = by_run.loc[by_run.groupby(["activation", "seed"])["preferred"].idxmax()]  # the first, so the lower rate
        if family == "robustness_own":
            return runs[KEYS].merge(noise_values(tables), on=KEYS).drop(columns="learning_rate")
    else:
        runs = runs[runs["experiments"].str.split().map(lambda names: "baseline" in names)]
    return runs[["activation", "seed", METRICS[family]]].set_axis(["activation", "seed", "v"], axis=1).dropna()


def differences(tables: Tables, family: str) -> dict[str, np.ndarray]:
    """Return each activation's differences from ReLU, over the seeds at which both finished."""
    wide = values(tables, family).pivot(index="seed", columns="activation", values="v")  # noqa: PD010
    return {name: (wide[name] - wide["relu"]).dropna().to_numpy() for name in NAMES[1:]}


def t_interval(sample: np.ndarray, level: float) -> tuple[float, float]:
    low, high = stats.t.interval(level, len(sample) - 1, sample.mean(), stats.sem(sample))
    return float(low), float(high)


def enumerated(sample: np.ndarray) -> float:
    """Return the share of all sign patterns whose sum is at least as large in size."""
    sums = np.array(list(itertools.product((-1, 1), repeat=len(sample)))) @ sample
    return float((np.abs(sums) >= abs(sample.sum()) - 1e-9).mean())


def holm(p: np.ndarray) -> list[float]:
    """Multiply the smallest p by their number, the next by one less, ..., and let none be below the one before it."""
    place = np.argsort(p)
    raised = np.maximum.accumulate(np.minimum(p[place] * np.arange(len(p), 0, -1), 1))
    return raised[np.argsort(place)].tolist()


@pytest.mark.parametrize("family", METRICS)
def test_every_comparison_is_recomputed(tables: Tables, family: str) -> None:
    """Means, both simultaneous intervals, sign-flip p, two one-sided t tests and Holm, from values of runs."""
    table = tables["comparisons"]
    rows = table[(table["experiment"] == family) & (table["metric"] == METRICS[family])].set_index("activation")
    found = differences(tables, family)
    assert sorted(rows.index) == sorted(found)
    assert set(rows["margin"]) == {0.01 if family.startswith("robustness") else 0.002}
    for name, sample in found.items():
        row = rows.loc[name]
        assert row["n"] == len(sample)
        expected = [sample.mean(), *t_interval(sample, 1 - 0.05 / 3), *t_interval(sample, 1 - 0.1 / 3)]
        shown = row[["difference", "ci_low", "ci_high", "equivalence_low", "equivalence_high"]].astype(float)
        np.testing.assert_allclose(shown, expected, atol=1e-7)  # tables have seven digits
        assert row["p_sign_flip"] == pytest.approx(enumerated(sample))
        sides = [stats.ttest_1samp(sample, sign * row["margin"], alternative=way).pvalue
                 for sign, way in ((-1, "greater"), (1, "less"))]  # fmt: skip
        assert row["p_equivalence"] == pytest.approx(max(sides), rel=1e-4)
    for p, adjusted in (("p_sign_flip", "p_holm"), ("p_equivalence", "p_equivalence_holm")):
        assert rows[adjusted].tolist() == pytest.approx(holm(rows[p].to_numpy()), rel=1e-6)


@pytest.mark.parametrize("family", METRICS)
def test_the_values_compared_are_those_of_the_runs(tables: Tables, family: str) -> None:
    """The table of what was compared holds each run's value, and none for a run that did not finish."""
    table = tables["compared_accuracies"]
    rows = table[(table["experiment"] == family) & (table["metric"] == METRICS[family])]
    expected = values(tables, family).set_index(["activation", "seed"])["v"].sort_index()
    assert len(rows) >= len(expected)
    pd.testing.assert_series_equal(
        rows.dropna().set_index(["activation", "seed"])["accuracy"].sort_index(), expected, check_names=False
    )


@pytest.mark.parametrize("family", ["baseline", "learning_rate"])
def test_means_of_accuracy_and_dead_units_are_recomputed(tables: Tables, family: str) -> None:
    """Mean and 95% t interval, cut to [0, 1], of test accuracy and of every share of units; diverged runs counted."""
    metric = {"baseline": ("test_accuracy", "ci"), "learning_rate": ("best_test_accuracy", "best_ci")}[family]
    chosen = {name: tables[name][tables[name]["experiment"] == family] for name in ("accuracy", *UNITS)}
    accuracies = chosen["accuracy"].set_index("activation")
    units, of_runs = (chosen[name] for name in UNITS)
    for name, sample in values(tables, family).groupby("activation")["v"]:
        row = accuracies.loc[name, [f"{metric[0]}_mean", f"{metric[1]}_low", f"{metric[1]}_high"]].tolist()
        np.testing.assert_allclose(row, [sample.mean(), *t_interval(sample.to_numpy(), 0.95)], atol=1e-7)
    assert len(units)
    for row in units[units["measure"].isin(["dead_units", "saturation", "sparsity"])].itertuples():
        sample = of_runs.query("activation == @row.activation and measure == @row.measure")["layers_mean"].to_numpy()
        expected = np.clip([sample.mean(), *t_interval(sample, 0.95)], 0, 1)
        np.testing.assert_allclose([row.mean, row.ci_low, row.ci_high], expected, atol=1e-7)
        assert row.n == len(sample)


def test_noise_is_recomputed(tables: Tables) -> None:
    """Accuracy by amplitude: mean and t interval over the runs at one rate."""
    at_one = tables["noise_runs"].query("learning_rate == @one_rate(@tables)")
    for row in tables["robustness"].itertuples():
        sample = at_one.query("activation == @row.activation and amplitude == @row.amplitude")
        expected = [sample["test_accuracy"].mean(), *t_interval(sample["test_accuracy"].to_numpy(), 0.95)]
        shown = [row.test_accuracy_mean, row.accuracy_ci_low, row.accuracy_ci_high]
        np.testing.assert_allclose(shown, expected, atol=1e-7)  # tables have seven digits


def test_findings_under_noise_at_every_rate_are_recomputed(tables: Tables) -> None:
    """Paired with ReLU at the same rate; the intervals of all rates and activations are simultaneous (Bonferroni)."""
    table = tables["noise_by_rate"]
    compared = table[table["activation"] != "relu"]
    assert len(set(compared["learning_rate"])) > 1
    for row in compared.itertuples():
        at_rate = noise_values(tables).query("learning_rate == @row.learning_rate")
        wide = at_rate.pivot(index="seed", columns="activation", values="v")  # noqa: PD010
        sample = (wide[row.activation] - wide["relu"]).dropna().to_numpy()
        low, high = t_interval(sample, 1 - 0.05 / len(compared))
        shown = [row.difference, row.difference_ci_low, row.difference_ci_high]
        np.testing.assert_allclose(shown, [sample.mean(), low, high], atol=1e-7)
        is_clear, is_small = low > 0 or high < 0, max(-low, high) < 0.01
        sign = "better" if sample.mean() > 0 else "worse"
        found = sign if is_clear and abs(sample.mean()) >= 0.01 else "tie" if is_small else "undecided"
        assert row.finding == found
    assert table.loc[table["activation"] == "relu", "finding"].isna().all()


def test_every_run_has_one_row_and_every_column_a_meaning(tables: Tables) -> None:
    """The runs that experiments share stand once, those that diverged too."""
    assert tables["runs"]["run"].is_unique
    assert {"done", "diverged"} == set(tables["runs"]["status"])
    assert tables["runs"]["experiments"].str.contains("baseline learning_rate robustness").any()
    unknown = {name: [c for c in frame if columns.meaning(c) is None] for name, frame in tables.items()}
    assert {name: found for name, found in unknown.items() if found} == {}
