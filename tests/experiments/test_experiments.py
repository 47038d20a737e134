"""Every experiment with every activation: which runs it declares, and what theory says beside them."""

import dataclasses
import zlib

import pytest
import tensorflow as tf
from fake_records import all_rounds

from experiments import baseline, depth, experiments, initialization, past_99, remedies, trainable_depth_6xi
from study import activations
from study.constants import INITIAL_DEPTHS, INITIALIZATIONS, REFERENCE_ACTIVATION
from study.plan import Plan
from study.records import catalogue
from study.settings import Settings

SQUARE_NORMS = (60.0, 115.6)  # ||x||^2, of about the mean and spread of MNIST's training images
GRIDS = {trainable_depth_6xi.NAME: trainable_depth_6xi.DEPTH_SCALES}
ADDED = "arctan"  # an entry that the registry does not have


@pytest.fixture(scope="module", params=[*activations.REGISTRY, ADDED])
def plan(request: pytest.FixtureRequest) -> Plan:
    """Make a plan for one activation, with its theory."""
    name = request.param
    with pytest.MonkeyPatch.context() as patch:
        entry = activations.Activation(tf.math.atan, "Arctan", r"\arctan z", "a test")
        if name == ADDED:
            patch.setitem(activations.REGISTRY, name, entry)
        described, refused = catalogue.describe([name], SQUARE_NORMS, 0.4, {}, GRIDS)
    assert refused == {}
    return Plan((name,), seeds=2, theory={name: described[name]["theory"]})


def test_every_experiment_declares_runs_for_any_activation(plan: Plan) -> None:
    """Runs are of the plan's activation, or of those that a claim names, whatever is compared.

    Leaky ReLU joins ReLU, and ReLU joins past_99.

    No run is declared twice, and its settings survive JSON.
    """
    (name,) = plan.activations
    other = dataclasses.replace(plan, activations=("other",), theory={"other": plan.theory[name]})
    for experiment in experiments().values():
        runs = experiment.rounds(plan, [])
        assert runs
        joined = {baseline.WITHOUT_ZEROS} if experiment is baseline and name == REFERENCE_ACTIVATION else set()
        joined |= {REFERENCE_ACTIVATION} if experiment is past_99 else set()
        assert {settings.activation for settings in runs} == {name} | joined or runs == experiment.rounds(other, [])
        assert len(set(runs)) == len(runs)
        assert all(Settings(**settings.to_dict()) == settings for settings in runs)


@pytest.mark.parametrize("name", experiments())
def test_another_first_seed_shifts_every_seed(name: str) -> None:
    """Whatever depends on seeds is chosen alike: the runs are the same but for their seeds, also of untrained networks.

    So an edition that starts at 10000 shares no run with the one that starts at 0, whose seeds are all below.
    """
    point = {"sigma_w": 1.4, "sigma_b": 0.1, "first_square": None}
    scales = {"sigma_w": list(trainable_depth_6xi.SIGMA_W), "xi": [3.0] * len(trainable_depth_6xi.SIGMA_W)}
    about = {"critical": point, "depth_scales": {trainable_depth_6xi.NAME: scales}}
    theory = dict.fromkeys(("relu", "sigmoid", "gelu", "swish", "tanh", "elu", "gelu_tanh"), about)

    def runs(first: int) -> set[Settings]:
        """Return the runs of all rounds, with seeds counted from `first`; the scores hang on everything else."""
        plan = Plan(("relu", "gelu"), theory=theory, first_seed=first)
        records = all_rounds(experiments()[name].rounds, plan, lambda settings: score(counted(settings, first)))
        return {counted(Settings(**record["identity"]["settings"]), first) for record in records}

    def counted(settings: Settings, first: int) -> Settings:
        return dataclasses.replace(settings, seed=settings.seed - first)

    def score(settings: Settings) -> float:
        return 0.9 + 1e-4 * (zlib.crc32(repr(settings).encode()) % 50)

    at_zero = runs(0)
    assert runs(10_000) == at_zero
    assert max(run.seed for run in at_zero) < 10_000


def test_critical_runs_are_those_theory_has_a_point_for(plan: Plan) -> None:
    """With a critical point both experiments run it, at its scales. Without one neither does, and a reason is kept."""
    (name,) = plan.activations
    point, why = plan.theory[name]["critical"], plan.theory[name]["why_none"]
    for experiment in (initialization, remedies):
        runs = [s for s in experiment.rounds(plan, []) if s.initialization == "critical"]
        assert bool(runs) == (point is not None) == (why == "")
        assert {(s.sigma_w, s.sigma_b) for s in runs} <= {(point["sigma_w"], point["sigma_b"])} if point else not runs


def test_depth_scales_are_there_for_the_claim_about_them(plan: Plan) -> None:
    """They cover every sigma_w that the claim runs; the longest is near tanh's critical line, sigma_w^2 = 1.76."""
    scales = plan.theory[plan.activations[0]]["depth_scales"]
    if plan.activations[0] == trainable_depth_6xi.ACTIVATION:
        scales = scales[trainable_depth_6xi.NAME]
        assert set(trainable_depth_6xi.SIGMA_W) <= set(scales["sigma_w"])
        longest = max(zip(scales["xi"], scales["sigma_w"], strict=True))[1]
        assert abs(longest**2 - 1.76) < 0.1
    else:
        assert scales == {}


def test_theory_is_there_for_every_network_that_is_measured(plan: Plan) -> None:
    """Every network of `depth`'s untrained runs and of `initialization` has predictions for every layer."""
    (name,) = plan.activations
    rows = plan.theory[name]["rows"]
    predicted = set(zip(rows["init"], rows["depth"], rows["width"], rows["layer"], strict=True))
    for settings in (*depth.initial(plan), *initialization.rounds(plan, [])):
        where = (settings.initialization, settings.depth, settings.width)
        assert all((*where, layer) in predicted for layer in range(1, settings.depth + 2))


def test_the_default_initialisation_is_trained_once_for_both_experiments() -> None:
    """`initialization` takes Keras' default from `depth`'s runs, so that nothing is trained twice."""
    theory = {"relu": {"critical": None}}
    plan = Plan(("relu",), theory=theory)
    shared = [s for s in initialization.rounds(plan, []) if s.initialization == INITIALIZATIONS[0]]
    assert shared
    assert set(shared) <= set(depth.rounds(plan, []))
    assert {s.depth for s in shared} == set(INITIAL_DEPTHS)


def test_each_remedy_changes_one_thing() -> None:
    """A remedy's settings differ from the plain SGD network's in the fields it names, and in no other."""
    plan = Plan(
        ("relu",), seeds=1, theory={"relu": {"critical": {"sigma_w": 1.4, "sigma_b": 0.0, "first_square": None}}}
    )
    plain, *others = remedies.rounds(plan, [])
    changes = list(remedies.remedies(plan, "relu").values())[1:]
    for settings, change in zip(others, changes, strict=True):
        assert dataclasses.replace(plain, **change) == settings
