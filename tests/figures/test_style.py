"""What stands for an activation: its colour, marker, dashes and label."""

import itertools
import logging
from typing import Any

import numpy as np
import pytest
from figure_data import STYLE, curves, figures

from study.activations import REGISTRY
from study.figures import style

# Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def styled(count: int) -> style.Style:
    """Return a style of `count` activations named by their places."""
    places = {str(place): place for place in range(count)}
    return style.Style({name: name for name in places}, places)


def test_nobody_shares_a_colour_with_the_four_of_the_study() -> None:
    """They are the registry's first four entries, and keep their colours; a hundred later entries have others."""
    assert [name for name, entry in REGISTRY.items() if entry.studied] == list(REGISTRY)[:4]
    looks = styled(100)
    colors = [looks.color(name) for name in looks.labels]
    assert colors[:4] == ["#0173B2", "#D55E00", "#029E73", "#6A1B7A"]
    assert not set(colors[:4]) & set(colors[4:])
    assert looks.color(str(len(REGISTRY))) not in colors[:4]


def test_looks_never_repeat() -> None:
    """Of 40 activations any two differ in colour or marker; of 17, two of one colour in marker and line style."""
    looks = styled(40)
    lines = [looks.line(name) for name in looks.labels]
    assert len({(line["color"], line["marker"]) for line in lines}) == 40
    for one, other in itertools.combinations(lines[:17], 2):
        if one["color"] == other["color"]:
            assert one["marker"] != other["marker"]
            assert one["linestyle"] != other["linestyle"]


def lab(color: str, vision: Any) -> np.ndarray:
    """CIE L*a*b* (3,) of #RRGGBB as someone with this vision sees it."""
    srgb = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(vision) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ seen / np.array([0.9505, 1, 1.089])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION.values(), ids=VISION.keys())
def test_colours_stay_apart_for_every_eye(vision: Any) -> None:
    """Any two colours are at least 15 apart in CIE76, where 2.3 is just noticeable."""
    colors = (*style.STUDY_COLORS, *style.OTHER_COLORS)
    distances = [np.linalg.norm(lab(a, vision) - lab(b, vision)) for a, b in itertools.combinations(colors, 2)]
    assert min(distances) > 15


@pytest.mark.parametrize("labels", [{"a": "A"}, {"a": "A", "b": "B", "c": "C"}])
def test_a_style_names_each_activation_once(labels: dict[str, str]) -> None:
    """Labels and positions are of the same activations, and no two have one position."""
    with pytest.raises(ValueError, match="labels and positions"):
        style.Style(labels, {"a": 0, "b": 1})
    with pytest.raises(ValueError, match="own place"):
        style.Style({"a": "A", "b": "B"}, {"a": 1, "b": 1})


def test_an_activation_without_a_style_is_named() -> None:
    """The error says which one."""
    with pytest.raises(ValueError, match="newcomer"):
        figures.activation_curves(curves(["newcomer"]), STYLE)


def test_a_label_is_escaped_for_matplotlib_alone() -> None:
    """Dollar signs are escaped, and the length is limited; nothing else changes."""
    assert style.literal("ReLU") == "ReLU"
    assert style.literal("a $x$") == r"a \$x\$"
    assert len(style.literal("x" * 100)) == style.MOST_CHARACTERS


@pytest.mark.parametrize(
    ("label", "shown"), [("整流", "mine"), ("swish 🦢", "mine"), ("تنشيط", "تنشيط"), ("σ☺", "σ☺"), ("", "mine")]
)
def test_a_label_that_the_font_lacks_gives_way_to_the_key(
    label: str, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Chinese and an emoji are replaced, with one notice however often they are drawn; Arabic and a smile are drawn."""
    style._say_once.cache_clear()
    looks = style.Style({"mine": label}, {"mine": 4})
    with caplog.at_level(logging.WARNING):
        assert [looks.label("mine") for _ in range(3)] == [shown] * 3
    assert len(caplog.records) == (shown == "mine" and bool(label))
    assert all(label in record.message for record in caplog.records)
