"""The compiled program of an epoch copies nothing large in its steps."""

import dataclasses
import re

import pytest
from started import start

from study.settings import Settings

NETWORKS = {
    "layers of their own, by Adam": {},
    "a loop over residual layers with dropout, by SGD": {
        "depth": 7, "optimizer": "sgd", "residual": "scaled", "dropout": 0.1,
    },
    "batch normalisation, averages, weight decay and distorted images": {
        "depth": 1, "normalization": "batch", "averaging": 0.99, "weight_decay": 0.1, "rotation": 9.0,
    },
}  # fmt: skip


@pytest.mark.parametrize("changes", NETWORKS.values(), ids=NETWORKS)
def test_no_step_copies_the_kernels_that_it_updates_or_their_slots(changes, tiny_data):
    """They are copied once an epoch, so that its caller keeps the state it gave; in the loop they are written over."""
    settings = Settings(
        **{"activation": "tanh", "seed": 0, "depth": 2, "width": 24, "batch": 8, "validation": 1100, **changes}
    )
    run = start(settings, tiny_data)
    shapes = [tuple(kernel.shape) for (kernel, *_), *_ in run.state]
    *steps, whole = compiled_epoch(run).split("\nENTRY ")
    assert set(shapes) <= copied(whole)
    assert not copied("".join(steps)) & {*shapes, *(shape[1:] for shape in shapes)}


def compiled_epoch(run):
    """Return the text of XLA's optimised program of an epoch: its computations in turn, the whole program last."""
    epoch = run.programs.epoch

    def read(*arguments):
        return None, None, epoch.experimental_get_compiler_ir(*arguments)(stage="optimized_hlo")

    run.programs = dataclasses.replace(run.programs, epoch=read)
    return run.call_epoch(1, updates=0)[-1]


def copied(text):
    """Return the shapes of the float32 tensors that the text copies: for "f32[1,24,24]", (1, 24, 24)."""
    found = re.findall(r"= f32\[([\d,]+)\]\S* copy\(", text)
    return {tuple(map(int, shape.split(","))) for shape in found}
