"""An activation's description is computed when its basis changes, and otherwise taken from the last record."""

import json
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import synthetic
from described import describe

from experiments import speed
from study import constants
from study.activations import ActivationError
from study.plan import DepthScaleGrid
from study.records import catalogue

GRIDS = {"one": {"tanh": DepthScaleGrid((1.0, 2.0), 0.1)}, "other": {"tanh": DepthScaleGrid((3.0,), 0.0)}}


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what the catalogue computes, with the fake engine's registry and theory."""
    synthetic.install(monkeypatch)
    counts: Counter[str] = Counter()

    def counted(name: str, function: Any) -> Any:
        def wrapped(*arguments: Any) -> Any:
            counts[name] += 1
            return function(*arguments)

        return wrapped

    for name in ("_theory", "_depth_scales"):
        monkeypatch.setattr(catalogue, name, counted(name, getattr(catalogue, name)))
    monkeypatch.setattr(synthetic, "curve", counted("curve", synthetic.curve))
    return counts


def described(kept: dict[str, Any], grids: catalogue.Grids = GRIDS, **images: Any) -> Any:
    """Describe tanh, beside what was kept, as it comes back from the ledger's JSON."""
    found, refused = describe(["tanh"], kept, grids, **images)
    assert refused == {}
    return json.loads(json.dumps(found))


def test_what_is_known_is_not_computed_again(computed: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first description computes all; a second nothing, also after a margin or a speed target has changed."""
    first = described({})
    assert computed == {"curve": 1, "_theory": 1, "_depth_scales": 2}
    monkeypatch.setattr(constants, "EQUIVALENCE_MARGIN", 0.5)
    monkeypatch.setattr(speed, "SPEED_OVER_FIT", 99.0)
    assert described(first) == first
    assert computed == {"curve": 1, "_theory": 1, "_depth_scales": 2}
    scales = first["tanh"]["theory"]["depth_scales"]
    assert {name: len(found["xi"]) for name, found in scales.items()} == {"one": 2, "other": 1}


def test_another_grid_computes_its_own_depth_scales_alone(computed: Counter[str]) -> None:
    """One experiment changes its sigma_w or its sigma_b: only its scales are computed; the others' are kept.

    Depth scales are there for the activation that the experiment names, and for no other.
    """
    found, _ = describe(["relu"], {}, GRIDS)
    assert (found["relu"]["theory"]["depth_scales"], computed["_depth_scales"]) == ({}, 0)
    first = described({})
    for grid in (DepthScaleGrid((1.0, 2.0, 4.0), 0.1), DepthScaleGrid((1.0, 2.0), 0.2)):
        computed.clear()
        second = described(first, {"one": {"tanh": grid}})
        assert computed == {"_depth_scales": 1}
        scales = second["tanh"]["theory"]["depth_scales"]
        assert (scales["one"]["sigma_w"], scales["one"]["sigma_b"]) == (list(grid.sigma_w), grid.sigma_b)
        assert scales["other"] == first["tanh"]["theory"]["depth_scales"]["other"]


def test_theory_is_computed_again_when_its_basis_changes(
    computed: Counter[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Other images need another table, other code of theory, or another activation, all; also when asked for later."""
    first = described({})
    computed.clear()
    described(first, squares=(60.0, 115.7))
    described(first, cosine=0.5)
    assert computed == {"curve": 2, "_theory": 2}
    (tmp_path / "module.py").write_text("NEW = 1\n")
    with monkeypatch.context() as patch:
        patch.setattr(catalogue, "THEORY", tmp_path)
        computed.clear()
        second = described(first, {"one": GRIDS["one"]})
        assert computed == {"curve": 1, "_theory": 1, "_depth_scales": 1}
        computed.clear()
        described(second)
        assert computed == {"_depth_scales": 1}, "the scales that were not asked for are of the old code"
    monkeypatch.setattr(synthetic, "fingerprint", lambda entry: "another function")
    computed.clear()
    described(first)
    assert computed == {"curve": 1, "_theory": 1, "_depth_scales": 2}


@pytest.mark.usefixtures("computed")
@pytest.mark.parametrize(("owner", "what"), [(synthetic, "fingerprint"), (synthetic, "curve"), (catalogue, "_theory")])
def test_any_error_of_an_activation_is_its_own(monkeypatch: pytest.MonkeyPatch, owner: Any, what: str) -> None:
    """Its fingerprint, curve or theory raises: it is refused with the error's message, and the next is described."""
    monkeypatch.setattr(owner, what, Mock(side_effect=[ZeroDivisionError("by nothing"), {"a": "b"}]))
    found, refused = describe(["relu", "tanh"], {}, {})
    assert list(found) == ["tanh"]
    assert refused["relu"].startswith("cannot be described: by nothing (ZeroDivisionError); ")


@pytest.mark.usefixtures("computed")
def test_an_activation_that_is_bad_or_unknown_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are described all the same, in the registry's order, whatever order they are asked in."""
    bad = synthetic.Activation(lambda z: z * float("nan"), "Bad")
    monkeypatch.setitem(synthetic.REGISTRY, "bad", bad)
    found, refused = describe(["tanh", "bad", "relu", "missing"], {}, {})
    assert list(found) == ["relu", "tanh"]
    assert refused == {"bad": "has a value that is not finite", "missing": "is not in the registry"}


def test_two_parts_of_a_critical_line_are_not_joined() -> None:
    """Where sigma_b^2 is negative, one NaN stands between the places before and the places behind."""
    line = catalogue._critical_line(np.array([1.0, 4, 9, 16, 25, 36]), np.array([-1, 0, 4, -1, -2, 9.0]))
    np.testing.assert_array_equal(line["sigma_w"], [2, 3, np.nan, 6])
    np.testing.assert_array_equal(line["sigma_b"], [0, 2, np.nan, 3])


def test_an_interrupt_refuses_no_activation() -> None:
    """TensorFlow may turn Ctrl-C into an error of its own, which names it: it is an interrupt again, not a refusal."""
    refused: dict[str, str] = {}
    with pytest.raises(KeyboardInterrupt), catalogue.refusing("relu", refused):
        raise RuntimeError("error_already_set: ... REPLACED BY KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt), catalogue.refusing("relu", refused):
        raise ActivationError("raises RuntimeError") from RuntimeError("REPLACED BY KeyboardInterrupt")
    with catalogue.refusing("relu", refused):
        raise RuntimeError("broken")
    assert refused == {"relu": "cannot be described: broken (RuntimeError); its theory must be computable"}
