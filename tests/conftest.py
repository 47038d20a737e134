"""What several tests share: one thread and no accelerator, a small data set, and the network worked out in numpy."""

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import synthetic

from study import cli
from study.data.mnist import Dataset
from study.runner import surroundings

surroundings.set_variables()  # before any test imports TensorFlow or matplotlib, which read their variables once
# A shell starts what it puts into the background deaf to Ctrl-C, and children inherit it; tests of Ctrl-C must hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)

SLOWEST = (  # files, by the seconds they take
    "test_end_to_end", "monitor/test_untouched", "monitor/test_models", "report/explorer/test_page",
    "engine/test_training", "test_faults", "monitor/test_logger", "figures/test_every_figure", "monitor/test_right",
    "experiments/test_every_page", "report/test_report", "experiments/test_experiments", "experiments/test_cost",
    "networks/test_distributions", "runner/test_checkpoints", "test_cli",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slowest files."""
    places = {f"tests/{name}.py": place for place, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: places.get(item.nodeid.split("::")[0], len(places)))


@pytest.fixture(scope="session")
def tiny_data() -> Dataset:
    """Draw 1,303 training and 40 test images: ten patterns, a third of the labels wrong, every eleventh pixel blank."""
    rng = np.random.default_rng(20)
    patterns = rng.random((10, 784)) < 0.1

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        truth = rng.integers(0, 10, n, dtype=np.uint8)
        ink = np.where(patterns[truth], 100, 0) + np.where(
            rng.random((n, 784)) < 0.1, rng.integers(0, 156, (n, 784)), 0
        )
        ink[:, ::11] = 0
        labels = np.where(rng.random(n) < 1 / 3, rng.integers(0, 10, n), truth)
        return ink.astype(np.uint8), labels.astype(np.uint8)

    return Dataset(*draw(1303), *draw(40), checksum="tiny data of the tests", source="drawn by the tests")


@pytest.fixture
def command_line(capsys: pytest.CaptureFixture[str]) -> Iterator[synthetic.Said]:
    """Yield the `study` command of this process: it returns exit code, standard output and standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse's own way
            code = int(str(end.code))
        return code, *capsys.readouterr()

    with synthetic.signals_kept():
        yield run


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Install the fake engine and go to a folder with data.npz; return the log of the runs it starts, not there yet."""
    synthetic.install(monkeypatch)
    monkeypatch.setenv(synthetic.VARIABLE, synthetic.told(tmp_path / "log"))
    monkeypatch.chdir(tmp_path)
    synthetic.write_data(tmp_path / "data.npz")
    return tmp_path / "log"


@pytest.fixture
def study(fake: Path, command_line: synthetic.Said) -> synthetic.Said:
    """Return the `study` command with the fake engine, in that folder."""
    return command_line


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the files of every figure empty: drawing takes most of a report's time."""
    from study.report import pictures  # imports matplotlib, for which `prepare` comes first

    monkeypatch.setattr(
        pictures, "_drawn_files", lambda drawings: [dict.fromkeys(pictures._file_names(n), b"") for n in drawings]
    )


@pytest.fixture
def float64_keras():
    """Keras in float64: its default, float32, would round the learning rate and the data that it is given."""
    import keras

    before = keras.config.floatx()
    for precision in ("float64", before):
        keras.config.set_floatx(precision)
        keras.config.set_dtype_policy(precision)  # that of layers, which Keras takes from floatx only once
        if precision != before:
            yield
