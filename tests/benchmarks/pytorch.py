"""Train by PyTorch in one thread, eager and compiled: permuted bytes, the fused Adam, no DataLoader."""

from typing import Any

from study.data.mnist import Dataset
from tests.benchmarks.task import (
    BETA_1,
    BETA_2,
    EPSILON,
    LEARNING_RATE,
    Contender,
    Orders,
    initial_parameters,
    is_logged,
    timed,
    training_part,
)


def contenders(data: Dataset) -> dict[str, Contender]:
    """Return three contenders: eager, eager with norms, and compiled forward and backward passes."""
    import torch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    images, labels = map(torch.from_numpy, training_part(data))
    labels = labels.long()
    return {
        "pytorch": timed(_Training(torch, images, labels).epoch),
        "pytorch_norms": timed(_Training(torch, images, labels, logs=True).epoch),
        "pytorch_compiled": timed(_Training(torch, images, labels, compiles=True).epoch),
    }


class _Training:
    def __init__(self, torch: Any, images: Any, labels: Any, logs: bool = False, compiles: bool = False) -> None:
        self.torch, self.images, self.labels, self.orders = torch, images, labels, Orders()
        self.logs = logs
        self.layers = [_linear(torch, *layer) for layer in initial_parameters()]
        parameters = [parameter for layer in self.layers for parameter in layer.parameters()]
        self.adam = torch.optim.Adam(parameters, LEARNING_RATE, (BETA_1, BETA_2), EPSILON, fused=True)
        self.loss = torch.compile(self._loss, fullgraph=True) if compiles else self._loss

    def epoch(self, number: int) -> list[Any]:
        """Return the norms (2, 4) of each logged step: of the weight gradients, and of delta's root mean square."""
        torch, norms = self.torch, []
        logged = (is_logged(number) & self.logs).tolist()
        losses, hits = torch.zeros(()), torch.zeros((), dtype=torch.long)  # as model.fit's loss and accuracy
        for batch, is_logged_step in zip(torch.from_numpy(self.orders()), logged, strict=True):
            y = self.labels[batch]
            loss, zs = self.loss(self.images[batch], y)
            if is_logged_step:
                for z in zs:
                    z.retain_grad()
            self.adam.zero_grad(set_to_none=True)
            loss.backward()
            if is_logged_step:
                norms.append(self._norms(zs))
            self.adam.step()
            losses += loss.detach()
            hits += (zs[-1].detach().argmax(1) == y).sum()
        return [losses.item(), hits.item(), *norms]

    def _loss(self, images: Any, labels: Any) -> tuple[Any, list[Any]]:
        h, zs = images.float() / 255, []
        for layer in self.layers:
            zs.append(layer(h))
            h = self.torch.relu(zs[-1])
        return self.torch.nn.functional.cross_entropy(zs[-1], labels), zs

    def _norms(self, zs: list[Any]) -> Any:
        gradients = self.torch.stack([layer.weight.grad.norm() for layer in self.layers])
        deltas = self.torch.stack([z.grad.norm() * len(z) ** 0.5 for z in zs])
        return self.torch.stack([gradients, deltas])


def _linear(torch: Any, kernel: Any, bias: Any) -> Any:
    layer = torch.nn.Linear(*kernel.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(kernel.T.copy()))
        layer.bias.copy_(torch.from_numpy(bias))
    return layer
