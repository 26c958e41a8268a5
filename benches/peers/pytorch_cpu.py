"""PyTorch on the CPU, eager and compiled: cross-entropy with class indices, mean, f32, loss and the logits' gradient,
allocations included; and a copy of the logits' bytes. Checked against float64 before anything is timed.

pip install torch
python benches/peers/pytorch_cpu.py --threads 2
"""

import argparse
import sys
import time
from functools import partial

import torch
from torch.nn.functional import cross_entropy

from pytorch_batch import SHAPES, Batch
from pytorch_table import ROUNDS, head, rows


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--threads", type=int, default=2)
    torch.set_num_threads(arguments.parse_args().threads)
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"loss and gradient; median of {ROUNDS}\n")
    head()
    for shape in SHAPES:
        torch.compiler.reset()  # or a second shape is compiled as one of any size
        batch = Batch(*shape)
        runs = {
            "PyTorch": partial(batch.loss_and_gradient, cross_entropy),
            "torch.compile": partial(batch.loss_and_gradient, torch.compile(cross_entropy)),
        }
        try:
            runs["torch.compile"]()
        except Exception as error:  # of many kinds, a missing C++ compiler's among them
            print(f"torch.compile is left out: {error}", file=sys.stderr)
            del runs["torch.compile"]
        for library, run in runs.items():
            batch.check(library, *run())
        to = torch.empty_like(batch.logits)
        rows(batch, timed, runs, partial(to.copy_, batch.logits.detach()))


def timed(run):
    """Milliseconds."""
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


if __name__ == "__main__":
    main()
