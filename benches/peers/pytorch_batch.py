"""The batches of the Rust programs here, and what PyTorch says of them in float64."""

import torch
from torch.nn.functional import cross_entropy

# Rows and classes: a language model's step, a step on ImageNet, a table.
SHAPES = [(1000, 32000), (4096, 1000), (65536, 10)]

# By storage, how far a loss may be from float64's, in units of itself, and a gradient, in units of 1/N. bf16 rounds by
# 2^-8 at most: log p (p |log p| is 1/e at most), the upstream 1/N and the gradient; row losses and their mean.
BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 2**-6}


class Batch:
    """Logits `[N, C]` of deviation about 2, in [-4, 4), by a hash of their index, and a label for each row."""

    def __init__(self, n_rows, n_classes, storage=torch.float32, device="cpu"):
        logits = lowbias32(torch.arange(n_rows * n_classes, device=device)).float() / 2**29 - 4
        self.logits = logits.view(n_rows, n_classes).to(storage).requires_grad_()
        # All 32 bits of the row's number turned over, as of an u32.
        self.labels = lowbias32(0xFFFFFFFF - torch.arange(n_rows, device=device)) % n_classes

    def loss_and_gradient(self, function):
        loss = function(self.logits, self.labels)
        (dlogits,) = torch.autograd.grad(loss, self.logits)
        return loss, dlogits

    def check(self, library, loss, dlogits):
        """Raise unless mean loss and gradient are within `BOUNDS` of float64's, computed here some rows at a time."""
        n_rows, n_classes = self.logits.shape
        bound = BOUNDS[self.logits.dtype]
        exact = 0.0
        rows = max(1, 2**24 // n_classes)  # 128 MiB of float64 at once
        for start in range(0, n_rows, rows):
            part = slice(start, start + rows)
            logits = self.logits.detach()[part].double().requires_grad_()
            part_loss = cross_entropy(logits, self.labels[part], reduction="sum")
            (gradient,) = torch.autograd.grad(part_loss, logits)
            exact += part_loss.item() / n_rows
            off = (dlogits[part].double() * n_rows - gradient).abs().max().item()
            if not off <= bound:
                raise ArithmeticError(f"{library}'s gradient is {off} / N from float64's, of {bound} / N allowed")
        if not abs(loss.item() - exact) <= bound * exact:
            raise ArithmeticError(f"{library}'s loss is {loss.item()}, in float64 {exact}")

    def copied(self):
        """Bytes that a copy of the logits reads and writes."""
        return 2 * self.logits.nbytes

    def floor(self):
        """Bytes that loss and gradient cannot do without: logits and labels read once, gradient and loss written."""
        return self.copied() + self.labels.nbytes + self.logits.itemsize


def lowbias32(x):
    """Chris Wellons' hash of 32-bit numbers, here in 64 bits: a product that overflows keeps its low bits."""
    x = (x ^ (x >> 16)) * 0x7FEB352D & 0xFFFFFFFF
    x = (x ^ (x >> 15)) * 0x846CA68B & 0xFFFFFFFF
    return x ^ (x >> 16)
