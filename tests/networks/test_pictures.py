"""Pictures of any size, colours and light become digits as MNIST's are, and what holds no digit is refused."""

from pathlib import Path

import drawn_digits
import numpy as np
import pytest
from PIL import Image, ImageDraw
from repository import unpack_committed
from scipy import ndimage
from synthetic import Said

from study.errors import UsageError
from study.networks import pictures, prediction
from study.records.store import NETWORK

DRAWN = {name: (digit, image) for name, digit, image in drawn_digits.pictures()}


def read(image: Image.Image, folder: Path, name: str = "digit.png", **options: object) -> np.ndarray:
    image.save(folder / name, **options)
    return pictures.read(folder / name).reshape(28, 28)


def alike(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def in_shadow(image: Image.Image, shade: float, turn: float, place: float) -> Image.Image:
    """Return a grey copy of `image`, its brightness times `shade` beyond a line that is turned by `turn` degrees.

    The line leaves the share `place` of the pixels in the light. At 0 degrees the shadow is on the right.
    """
    pixels = np.asarray(image.convert("L"), float)
    down, across = np.meshgrid(*(np.linspace(-1, 1, size) for size in pixels.shape), indexing="ij")
    depth = np.cos(np.radians(turn)) * across + np.sin(np.radians(turn)) * down
    return Image.fromarray(np.where(depth > np.quantile(depth, place), shade * pixels, pixels).astype(np.uint8))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Return what is read of every drawn digit."""
    folder = tmp_path_factory.mktemp("usual")
    return {name: read(image, folder) for name, (_, image) in DRAWN.items()}


@pytest.mark.parametrize("name", DRAWN)
def test_a_digit_is_placed_as_in_mnist(name: str, usual: dict[str, np.ndarray]) -> None:
    """Twenty pixels along its longer side, its centre of mass in the middle, its strokes white, all else black."""
    found = usual[name]
    rows, columns = (np.flatnonzero((found > 40).any(axis=axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(20, abs=1.5)
    np.testing.assert_allclose(ndimage.center_of_mass(found), (14, 14), atol=0.3)
    assert found.max() == pytest.approx(255, abs=25)
    assert 0.5 < np.mean(found == 0) < 0.95


@pytest.mark.parametrize("name", ["font-3", "mouse-6"])
def test_polarity_size_turn_and_format_do_not_matter(name: str, usual: dict[str, np.ndarray], tmp_path: Path) -> None:
    """Light on dark, twice the size, a JPEG, a transparent ground, and a camera held upright give the same digit.

    So do 16 bits, as scanners write, and a digit that covers little of the picture. On a transparent ground the digit
    is black or white.
    """
    image = DRAWN[name][1].convert("RGB")
    inverted = Image.fromarray(255 - np.asarray(image))
    larger = image.resize((2 * image.width, 2 * image.height))
    for other in (inverted, larger):
        assert alike(usual[name], read(other, tmp_path)) > 0.95
    grey = np.asarray(image.convert("L"))
    for deep in (grey.astype(np.uint16) * 257, 65535 - grey.astype(np.uint16) * 257):
        assert alike(usual[name], read(Image.fromarray(deep), tmp_path)) > 0.95
    for light in (False, True) if name == "font-3" else ():  # strokes of a mouse are too thin for it
        page = Image.new("L", (1000, 1000), 255)
        page.paste(image.convert("L").point(lambda v: 255 if v > 200 else v).resize((60, 60)), (400, 500))
        shown = Image.fromarray(255 - np.asarray(page)) if light else page
        assert alike(usual[name], read(shown, tmp_path)) > 0.7
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned right by a quarter
    turned = read(image.rotate(90, expand=True), tmp_path, "turned.jpeg", quality=80, exif=exif)
    assert alike(usual[name], turned) > 0.98
    if name == "font-3":
        ink = 255 - np.asarray(image.convert("L"))
        for color in (0, 255):
            transparent = Image.fromarray(np.dstack([*[np.full_like(ink, color)] * 3, ink]))
            assert alike(usual[name], read(transparent, tmp_path)) > 0.95


def test_an_mnist_digit_on_lit_paper_comes_back(usual: dict[str, np.ndarray], tmp_path: Path) -> None:
    """A digit made as MNIST's are, enlarged tenfold and unevenly lit, is itself again."""
    original = usual["mouse-2"].astype(np.uint8)
    large = 255 - np.asarray(Image.fromarray(original).resize((280, 280), Image.Resampling.BICUBIC), float)
    lit = large * np.linspace(0.95, 0.6, 280)[:, None]
    assert alike(original, read(Image.fromarray(lit.astype(np.uint8)), tmp_path)) > 0.9


@pytest.mark.parametrize("name", ["font-7", "mouse-1"])
def test_a_frame_around_the_digit_is_left_out(name: str, usual: dict[str, np.ndarray], tmp_path: Path) -> None:
    """One line around the digit, or two, away from the picture's edge; the dot inside a 0 makes it no frame."""
    image = DRAWN[name][1].convert("L")
    pen, (width, height) = ImageDraw.Draw(image), image.size
    for inset in (0.06, 0.02):
        box = (inset * width, inset * height, (1 - inset) * width, (1 - inset) * height)
        pen.rectangle(box, outline=60, width=max(2, width // 60))
        assert alike(usual[name], read(image, tmp_path)) > 0.95
    dotted = Image.new("L", (200, 200), 255)
    pen = ImageDraw.Draw(dotted)
    pen.ellipse((60, 20, 140, 180), outline=0, width=15)
    empty = read(dotted, tmp_path)
    pen.ellipse((90, 80, 110, 120), fill=0)
    assert alike(empty, read(dotted, tmp_path)) > 0.8


def test_specks_and_the_edge_of_the_paper_are_left_out(usual: dict[str, np.ndarray], tmp_path: Path) -> None:
    """Dirt beside the digit, and a dark stripe along the picture's edge, change little."""
    pixels = np.array(DRAWN["mouse-4"][1])
    pixels[5:9, 5:9] = 40
    pixels[:, -6:] = 30
    assert alike(usual["mouse-4"], read(Image.fromarray(pixels), tmp_path)) > 0.95


@pytest.mark.parametrize(("turn", "share"), [(0, 0.5), (8, 0.5), (0, 0.92)])
def test_a_sheet_on_a_table_is_not_the_digit(
    turn: float, share: float, usual: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """A digit on a bright sheet, straight or turned, which covers half or most of the picture of a darker table."""
    drawn = DRAWN["font-3"][1].convert("L")
    sheet = Image.new("L", (2 * drawn.width, 2 * drawn.height), 235)
    sheet.paste(drawn.point(lambda value: value * 235 // 255), (drawn.width // 2, drawn.height // 2))
    cover = Image.new("L", sheet.size, 255).rotate(turn, expand=True)
    size = round(max(cover.size) / share)
    table = Image.new("L", (size, size), 90)
    corner = ((size - cover.width) // 2, (size - cover.height) // 2)
    table.paste(sheet.rotate(turn, expand=True), corner, cover)
    assert alike(usual["font-3"], read(table, tmp_path)) > 0.9


@pytest.mark.parametrize(
    ("name", "shade", "turn", "place"),
    [
        *(("font-7", 0.45, turn, place) for turn, place in ((0, 0.7), (20, 0.5), (90, 0.3), (250, 0.45))),
        *(("mouse-3", 0.55, turn, place) for turn, place in ((0, 0.7), (90, 0.3), (300, 0.8))),
        ("font-4", 0.6, 135, 0.5),
    ],
)
def test_the_edge_of_a_shadow_is_not_ink(
    name: str, shade: float, turn: float, place: float, usual: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """Paper darker by half, from any side, up to a sharp edge beside the digit or across it, changes nothing."""
    shadowed = in_shadow(DRAWN[name][1], shade, turn, place)
    assert alike(usual[name], read(shadowed, tmp_path)) > 0.97


@pytest.mark.parametrize(("turn", "place"), [(0, 0.6), (90, 0.4), (250, 0.4)])
def test_a_digit_of_wide_strokes_is_read_in_a_shadow(turn: float, place: float, tmp_path: Path) -> None:
    """Strokes may be a quarter of the picture wide."""
    image = Image.new("L", (200, 200), 230)
    pen = ImageDraw.Draw(image)
    pen.line([(40, 40), (160, 40), (80, 165)], 50, 52, joint="curve")
    assert alike(read(image, tmp_path), read(in_shadow(image, 0.5, turn, place), tmp_path)) > 0.97


def test_a_speck_near_a_corner_is_no_sheet(tmp_path: Path) -> None:
    """To turn it upright as a sheet would move it out of the picture."""
    image = Image.new("L", (60, 60), 200)
    image.putpixel((3, 3), 20)
    assert read(image, tmp_path).max() == pytest.approx(255, abs=25)


def test_what_holds_no_digit_is_refused_by_name(tmp_path: Path) -> None:
    """Each message names the file and says what was found."""
    blank = Image.new("L", (60, 60), 200)
    two = Image.new("L", (300, 150), 255)
    for place in (0, 150):
        two.paste(DRAWN["mouse-3"][1].resize((150, 150)).point(lambda v: 255 if v > 110 else 0), (place, 0))
    stacked = two.rotate(-90, expand=True)
    cases = [
        ("stacked.png", stacked, "holds 2 digits or other marks, side by side or one above the other"),
        ("blank.png", blank, "holds no digit: its contrast is 0.00"),
        ("two.png", two, "holds 2 digits or other marks, side by side"),
        ("small.png", Image.new("L", (5, 9)), "has 5 x 9 pixels"),
    ]
    for name, image, words in cases:
        with pytest.raises(UsageError, match=words) as error:
            read(image, tmp_path, name)
        assert name in str(error.value)
    (tmp_path / "text.png").write_text("7")
    with pytest.raises(UsageError, match=r"text\.png cannot be read as a picture"):
        pictures.read(tmp_path / "text.png")
    (tmp_path / "damaged.ppm").write_bytes(b"P6 3x 3 255 ")  # Pillow raises ValueError
    with pytest.raises(UsageError, match=r"damaged\.ppm cannot be read as a picture"):
        pictures.read(tmp_path / "damaged.ppm")
    with pytest.raises(UsageError, match="does not exist"):
        pictures.read(tmp_path / "missing.png")
    with pytest.raises(UsageError, match="as a picture"):
        pictures.read(tmp_path)


def test_the_network_reads_other_styles(
    usual: dict[str, np.ndarray], command_line: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of twenty digits in fonts and along a mouse's path the committed network reads most, and says no with a code."""
    unpack_committed(tmp_path, "results/networks")
    assert any((tmp_path / "results" / NETWORK.format(name)).is_file() for name in prediction.EXPERIMENTS)
    of_file = pictures.read
    monkeypatch.setattr(
        pictures, "read", lambda path: usual[path.stem].ravel() if path.stem in usual else of_file(path)
    )
    files = [tmp_path / f"{name}.png" for name in DRAWN]
    code, said, _ = command_line("predict", *files, "--results", tmp_path / "results")
    assert code == 0
    digits = [int(line.split()[1]) for line in said.splitlines()[1:]]
    right = [digit == wanted for digit, (wanted, _) in zip(digits, DRAWN.values(), strict=True)]
    assert sum(right) >= 16, dict(zip(DRAWN, digits, strict=True))
    Image.new("L", (60, 60), 200).save(tmp_path / "blank.png")
    code, said, complaint = command_line("predict", tmp_path / "blank.png", files[0], "--results", tmp_path / "results")
    assert code == 2
    assert "blank.png holds no digit" in complaint
    assert len(said.splitlines()) == 2
    network = next(
        path for name in prediction.EXPERIMENTS if (path := tmp_path / "results" / NETWORK.format(name)).is_file()
    )
    content = bytearray(network.read_bytes())
    content[len(content) // 2] ^= 1
    network.write_bytes(content)
    code, _, complaint = command_line("predict", files[0], "--results", tmp_path / "results")
    assert (code, f"{network} cannot be read as a network" in complaint) == (2, True)
