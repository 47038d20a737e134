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


def test_the_four_own_their_looks_whoever_else_is_there() -> None:
    """The study's four have the first looks at any place; others, though before them, the rest in their own order."""
    assert [name for name, entry in REGISTRY.items() if entry.studied] == list(style.FIXED_LOOKS)
    names = [f"new {k}" for k in range(100)] + list(style.FIXED_LOOKS[::-1])
    looks = style.Style({name: name for name in names}, {name: place for place, name in enumerate(names)})
    assert [looks.color(name) for name in style.FIXED_LOOKS] == list(style.COLORS[:4])
    assert [looks.color(name) for name in names[:8]] == list(style.COLORS[4:])
    assert not set(style.COLORS[:4]) & {looks.color(name) for name in names[:100]}
    twelve = [(looks.color(name), looks.marker(name)) for name in (*style.FIXED_LOOKS, *names[:8])]
    assert all(len(set(part)) == 12 for part in zip(*twelve, strict=True))
    assert len({(looks.color(name), looks.marker(name)) for name in names[:40]}) == 40
    one, other = looks.line(names[0]), looks.line(names[8])
    assert (one["color"], one["linestyle"] == other["linestyle"]) == (other["color"], False)


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
    """In CIE76, where 2.3 is just noticeable: any two of the four by 25, any two of the twelve by 16."""
    seen = [lab(color, vision) for color in style.COLORS]
    for colors, least in ((seen[:4], 25), (seen, 16)):
        assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(colors, 2)) > least


def test_colours_stay_apart_in_grey_and_on_white() -> None:
    """In lightness L*: any two of the four by 10, of the twelve by 3, and all as far from white as 3 : 1 asks."""
    lightness = sorted(lab(color, VISION["normal"])[0] for color in style.COLORS)
    four = sorted(lab(color, VISION["normal"])[0] for color in style.COLORS[:4])
    assert min(np.diff(four)) > 10
    assert min(np.diff(lightness)) > 3
    assert max(lightness) < 62.5


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
    style._warn_once.cache_clear()
    looks = style.Style({"mine": label}, {"mine": 4})
    with caplog.at_level(logging.WARNING):
        assert [looks.label("mine") for _ in range(3)] == [shown] * 3
    assert len(caplog.records) == (shown == "mine" and bool(label))
    assert all(label in record.message for record in caplog.records)
