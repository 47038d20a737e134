"""Train by PyTorch in one thread, eager and compiled: permuted bytes, the fused Adam, no DataLoader."""

from typing import Any

import torch

from tests.benchmarks import task


def contenders(data: task.Data) -> dict[str, task.Contender]:
    """Return three contenders: eager, eager with norms, and compiled forward and backward passes."""
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    images, labels = map(torch.from_numpy, task.training_part(data))
    labels = labels.long()
    return {
        "pytorch": task.timed(_Training(images, labels).epoch),
        "pytorch_norms": task.timed(_Training(images, labels, logs=True).epoch),
        "pytorch_compiled": task.timed(_Training(images, labels, compiles=True).epoch),
    }


class _Training:
    def __init__(self, images: Any, labels: Any, logs: bool = False, compiles: bool = False) -> None:
        self.images, self.labels, self.logs, self.orders = images, labels, logs, task.Orders()
        self.layers = [_linear(*layer) for layer in task.initial_parameters()]
        parameters = [parameter for layer in self.layers for parameter in layer.parameters()]
        self.adam = torch.optim.Adam(
            parameters, task.LEARNING_RATE, (task.BETA_1, task.BETA_2), task.EPSILON, fused=True
        )
        self.loss = torch.compile(self._loss, fullgraph=True) if compiles else self._loss

    def epoch(self, number: int) -> list[Any]:
        """Train; return total loss, hits, and each logged step's norms (2, 4): weight gradients, and rms of delta."""
        norms = []
        logged = (task.is_logged(number) & self.logs).tolist()
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
            h = torch.relu(zs[-1])
        return torch.nn.functional.cross_entropy(zs[-1], labels), zs

    def _norms(self, zs: list[Any]) -> Any:
        gradients = torch.stack([layer.weight.grad.norm() for layer in self.layers])
        deltas = torch.stack([z.grad.norm() * len(z) ** 0.5 for z in zs])
        return torch.stack([gradients, deltas])


def _linear(kernel: Any, bias: Any) -> Any:
    layer = torch.nn.Linear(*kernel.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(kernel.T.copy()))
        layer.bias.copy_(torch.from_numpy(bias))
    return layer
