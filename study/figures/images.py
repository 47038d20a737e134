"""Draw images of digits: under noise, and those that a network gets wrong."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from study.figures.style import panels

SHOWN_AMPLITUDES = (0.0, 1.0, 2.0, 3.0)  # of the noise under which digits are shown
IMAGE_SIDE = 28  # pixels
WRONG_COLUMNS, WRONG_STRIP = 10, 12  # images in a row, and pixels above each image for its text


def digits(table: pd.DataFrame) -> Figure:
    """Draw digits side by side, without noise and with noise: a panel for each amplitude a in SHOWN_AMPLITUDES.

    `table` has one row per image and pixel, as experiments/digits.py makes it. Its columns are label (the digit), row
    and column (0 to 27), and brightness in [0, 1]. The noise of a pixel is a * u. The number u is drawn from
    Unif[-1, 1] and is the same in all panels. The grey scale goes from -a (white) to 1 + a (black).
    """
    wide = table.pivot_table("brightness", ["label", "row"], "column", sort=False)
    images = np.hstack([part.to_numpy(float) for _, part in wide.groupby("label", sort=False)])
    noise = np.random.default_rng(0).uniform(-1, 1, images.shape)
    titles = [f"noise {amplitude:g}" if amplitude else "no noise" for amplitude in SHOWN_AMPLITUDES]
    figure, shown = panels(titles, 1.1, 2)
    for panel, amplitude in zip(shown, SHOWN_AMPLITUDES, strict=True):
        panel.imshow(images + amplitude * noise, cmap="Greys", vmin=-amplitude, vmax=1 + amplitude)
        panel.set_axis_off()
    return figure


def wrong_digits(wrong: pd.DataFrame, images: pd.DataFrame) -> Figure:
    """Draw images that a network gets wrong, WRONG_COLUMNS side by side, each below its label and the network's answer.

    Both tables come from experiments/wrong_digits.py. `wrong` has one row per image, with the columns label (the true
    digit) and said (the network's answer). `images` has the same rows, and a column for each of the 784 pixels, one
    image row after another, from 0 (drawn white) to 255.
    """
    count = -(-len(wrong) // WRONG_COLUMNS)
    cell = IMAGE_SIDE + WRONG_STRIP
    mosaic = np.zeros((max(count, 1) * cell, WRONG_COLUMNS * cell))
    figure, (panel,) = panels([""], max(count, 1) * 0.62)
    for place, (row, pixels) in enumerate(zip(wrong.itertuples(), images.to_numpy(float), strict=True)):
        down, across = (cell * step for step in divmod(place, WRONG_COLUMNS))
        mosaic[down + WRONG_STRIP : down + cell, across : across + IMAGE_SIDE] = pixels.reshape(IMAGE_SIDE, IMAGE_SIDE)
        middle = across + IMAGE_SIDE / 2, down + WRONG_STRIP / 2
        panel.text(*middle, f"{row.label}, not {row.said}", ha="center", va="center", fontsize="x-small")
    panel.imshow(mosaic, cmap="Greys", vmin=0, vmax=255)
    panel.set_axis_off()
    return figure
