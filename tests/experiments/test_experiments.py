"""Every experiment with every activation: which runs it declares, and what theory says beside them."""

import dataclasses
import itertools
import json
import zlib

import pytest
import tensorflow as tf
from described import describe
from fake_records import all_rounds
from fake_studies import measured

from experiments import baseline, depth, experiments, initialization, past_99, remedies, trainable_depth_6xi
from study import activations
from study.constants import INITIAL_DEPTHS, INITIALIZATIONS, REFERENCE_ACTIVATION, WIDTH
from study.plan import DepthScaleGrid, Plan
from study.records import catalogue
from study.settings import Settings

ADDED = "arctan"  # an entry that the registry does not have
POINT = {"sigma_w": 1.4, "sigma_b": 0.1, "first_square": None}


def plan(*names: str, seeds: int | None = None, first_seed: int = 0, critical: object = POINT) -> Plan:
    """Make a plan with made-up theory."""
    scales = {"sigma_w": list(trainable_depth_6xi.SIGMA_W), "xi": [3.0] * len(trainable_depth_6xi.SIGMA_W)}
    about = {"critical": critical, "depth_scales": {trainable_depth_6xi.NAME: scales}}
    theory = dict.fromkeys((*names, "relu", "sigmoid", "gelu", "swish", "tanh", "elu", "gelu_tanh"), about)
    return Plan(names, seeds, theory=theory, first_seed=first_seed)


@pytest.mark.parametrize("name", [*activations.REGISTRY, ADDED])
def test_every_experiment_declares_runs_for_any_activation(name: str) -> None:
    """Each once, and of the plan's activation or of those that a claim names; Leaky ReLU joins ReLU, ReLU past_99."""
    for experiment in experiments().values():
        runs = experiment.rounds(plan(name, seeds=2), [])
        assert runs
        joined = {baseline.WITHOUT_ZEROS} if experiment is baseline and name == REFERENCE_ACTIVATION else set()
        joined |= {REFERENCE_ACTIVATION} if experiment is past_99 else set()
        own = {settings.activation for settings in runs} == {name} | joined
        assert own or runs == experiment.rounds(plan("other", seeds=2), [])
        assert len(set(runs)) == len(runs)
        assert all(Settings(**settings.to_dict()) == settings for settings in runs)


@pytest.mark.parametrize("name", experiments())
def test_another_first_seed_shifts_every_seed(name: str) -> None:
    """The runs are the same but for their seeds, and editions that start at 0 and at 10000 share none."""

    def runs(first: int) -> set[Settings]:
        """Return the runs of all rounds, with seeds counted from `first`; the scores hang on everything else."""
        asked = plan("relu", "gelu", first_seed=first)
        records = all_rounds(experiments()[name].rounds, asked, lambda settings: score(counted(settings, first)))
        return {counted(Settings(**record["identity"]["settings"]), first) for record in records}

    def counted(settings: Settings, first: int) -> Settings:
        return dataclasses.replace(settings, seed=settings.seed - first)

    def score(settings: Settings) -> float:
        return 0.9 + 1e-4 * (zlib.crc32(repr(settings).encode()) % 50)

    at_zero = runs(0)
    assert runs(10_000) == at_zero
    assert max(run.seed for run in at_zero) < 10_000


@pytest.mark.parametrize("name", [name for name, module in experiments().items() if hasattr(module, "preactivations")])
def test_pre_activations_are_measured_on_the_first_seed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of networks that train, whatever seed is the first: the same networks and steps in every edition."""
    monkeypatch.setattr(depth, "INITIAL_SEEDS", 1)

    def steps(first: int) -> dict[Settings, tuple[int, ...]]:
        """Return the steps of each network, with seeds counted from `first`."""
        asked = plan("relu", seeds=2, first_seed=first)
        records = all_rounds(experiments()[name].rounds, asked, lambda settings: 0.9, measured)
        found = experiments()[name].preactivations(asked, records)
        return {dataclasses.replace(settings, seed=settings.seed - first): of for settings, of in found.items()}

    at_zero = steps(0)
    assert at_zero
    assert all(settings.epochs > 0 for settings in at_zero)
    assert len({settings.seed for settings in at_zero}) == 1
    assert steps(10_000) == at_zero


@pytest.mark.parametrize("experiment", [initialization, remedies])
def test_critical_runs_need_a_critical_point(experiment) -> None:
    """With a critical point an experiment runs it at its scales, and without one it does not."""
    for point in (POINT, None):
        runs = [s for s in experiment.rounds(plan("relu", critical=point), []) if s.initialization == "critical"]
        assert {(s.sigma_w, s.sigma_b) for s in runs} == ({(1.4, 0.1)} if point else set())


SMALL, ALL = [(INITIALIZATIONS, (2,), WIDTH)], catalogue.NETWORKS


@pytest.mark.parametrize(
    ("name", "networks"), [*((name, SMALL) for name in (*activations.REGISTRY, ADDED)), ("squared_relu", ALL)]
)
def test_every_activation_is_described(
    name: str, networks: list[tuple[tuple[str, ...], tuple[int, ...], int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real theory of each entry can be computed and written as JSON, for every layer of the networks.

    It has a critical point or a reason why not. Only the activation of the claim about depth scales has some; the
    longest is nearest to tanh's critical line, sigma_w^2 = 1.76. Through 50 layers a squared ReLU leaves the floats.
    """
    monkeypatch.setattr(catalogue, "NETWORKS", networks)
    entry = activations.Activation(tf.math.atan, "Arctan", r"\arctan z", "a test")
    monkeypatch.setitem(activations.REGISTRY, ADDED, entry)
    grids = {"claim": {trainable_depth_6xi.ACTIVATION: DepthScaleGrid((1.1, 1.3, 1.6), trainable_depth_6xi.SIGMA_B)}}
    described, refused = describe([name], {}, grids)
    assert refused == {}
    theory = json.loads(json.dumps(described))[name]["theory"]
    assert (theory["critical"] is None) == (theory["why_none"] != "")
    rows = theory["rows"]
    assert set(zip(rows["init"], rows["depth"], rows["width"], rows["layer"], strict=True)) == {
        (init, depth, width, layer)
        for inits, depths, width in networks
        for init, depth in itertools.product(inits, depths)
        for layer in range(1, depth + 2)
        if init != "critical" or theory["critical"]
    }
    scales = {experiment: found["xi"].index(max(found["xi"])) for experiment, found in theory["depth_scales"].items()}
    assert scales == ({"claim": 1} if name == trainable_depth_6xi.ACTIVATION else {})


def test_theory_is_there_for_every_network_that_is_measured() -> None:
    """The catalogue has the untrained networks, and the depth scales every sigma_w that their claim runs."""
    predicted = {
        (init, depth, width) for inits, depths, width in catalogue.NETWORKS for init in inits for depth in depths
    }
    asked = plan("relu", seeds=2)
    measured = (*depth.initial_networks(asked), *initialization.rounds(asked, []))
    assert {(s.initialization, s.depth, s.width) for s in measured} <= predicted
    grid = trainable_depth_6xi.DEPTH_SCALES[trainable_depth_6xi.ACTIVATION]
    assert set(trainable_depth_6xi.SIGMA_W) <= set(grid.sigma_w)


def test_the_default_initialisation_is_trained_once_for_both_experiments() -> None:
    """`initialization` takes Keras' default from `depth`'s runs, so that nothing is trained twice."""
    shared = [s for s in initialization.rounds(plan("relu"), []) if s.initialization == INITIALIZATIONS[0]]
    assert {s.depth for s in shared} == set(INITIAL_DEPTHS)
    assert set(shared) <= set(depth.rounds(plan("relu"), []))


def test_each_remedy_changes_one_thing() -> None:
    """A remedy's settings differ from the plain SGD network's in the fields it names, and in no other."""
    asked = plan("relu", seeds=1)
    plain, *others = remedies.rounds(asked, [])
    changes = list(remedies.remedy_settings(asked, "relu").values())[1:]
    for settings, change in zip(others, changes, strict=True):
        assert dataclasses.replace(plain, **change) == settings
