"""Draw twenty pictures of digits in other styles than MNIST's: ten in matplotlib's fonts, ten along a mouse's path.

The pictures differ in size, colours, light and position, as pictures from users do.
"""

from collections.abc import Iterator

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

# The font of each digit from 0 to 9.
FONTS = (
    "DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono", "STIXGeneral", "cmr10", "cmss10", "cmtt10", "DejaVu Sans",
    "DejaVu Serif", "STIXGeneral",
)  # fmt: skip
PATHS = {  # for each digit its strokes: lists of points (right, down) in a square of 100 x 100
    0: [[(50, 10), (25, 25), (20, 55), (35, 88), (60, 88), (78, 60), (72, 25), (50, 10)]],
    1: [[(35, 28), (52, 10), (52, 90)]],
    2: [[(25, 28), (40, 12), (62, 14), (70, 32), (55, 55), (25, 88), (78, 86)]],
    3: [[(28, 16), (60, 12), (68, 28), (45, 46), (70, 62), (62, 86), (26, 86)]],
    4: [[(62, 90), (62, 10), (22, 62), (82, 62)]],
    5: [[(70, 12), (34, 12), (30, 45), (58, 42), (72, 62), (60, 86), (28, 84)]],
    6: [[(62, 10), (36, 36), (26, 66), (40, 88), (64, 84), (68, 62), (48, 54), (30, 68)]],
    7: [[(24, 14), (76, 14), (46, 90)]],
    8: [[(50, 46), (30, 28), (48, 10), (68, 26), (50, 46), (28, 68), (48, 90), (72, 70), (50, 46)]],
    9: [[(68, 34), (48, 48), (32, 30), (48, 12), (66, 22), (68, 34), (62, 90)]],
}


def pictures() -> Iterator[tuple[str, int, Image.Image]]:
    """Yield (name, digit, picture) for each of the twenty: "font-0" to "font-9", then "mouse-0" to "mouse-9"."""
    rng = np.random.default_rng(3)
    for digit, font in enumerate(FONTS):
        yield f"font-{digit}", digit, _printed_digit(digit, font, rng)
    for digit, strokes in PATHS.items():
        yield f"mouse-{digit}", digit, _drawn_digit(strokes, rng)


def _printed_digit(digit: int, font: str, rng: np.random.Generator) -> Image.Image:
    """Return a picture of `digit` in `font`, at a random size and position; 2, 5 and 8 are light on dark."""
    size = int(rng.integers(40, 300))
    paper, ink = ((20, 30, 60), (250, 250, 240)) if digit % 3 == 2 else ((245, 240, 230), (40, 40, 90))
    image = Image.new("RGB", (2 * size, 2 * size), paper)
    file = ImageFont.truetype(font_manager.findfont(font), size)
    place = rng.integers(size // 4, size, 2)
    ImageDraw.Draw(image).text((int(place[0]), int(place[1]) // 2), str(digit), ink, file)
    return image


def _drawn_digit(strokes: list[list[tuple[int, int]]], rng: np.random.Generator) -> Image.Image:
    """Return a grey picture of `strokes`, drawn with a round pen and photographed in uneven light with noise."""
    scale, width = rng.uniform(2, 5), rng.uniform(4, 10)
    side = round(140 * scale)
    image = Image.new("L", (side, side), 255)
    pen = ImageDraw.Draw(image)
    offset = rng.uniform(5, 35, 2)
    for stroke in strokes:
        points = [tuple(scale * (np.array(point) + offset)) for point in stroke]
        pen.line(points, 60, round(scale * width), joint="curve")
        for x, y in points:
            half = scale * width / 2
            pen.ellipse((x - half, y - half, x + half, y + half), 60)
    down, across = np.meshgrid(*2 * (np.linspace(0, 1, side),), indexing="ij")
    light = 0.95 - 0.35 * down * rng.random() - 0.25 * across * rng.random()
    photographed = np.asarray(image) * light + rng.normal(0, 4, (side, side))
    return Image.fromarray(np.clip(photographed, 0, 255).astype(np.uint8))
