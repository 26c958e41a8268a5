"""PyTorch on CUDA, eager and compiled, and Liger where it is installed: cross-entropy with class indices, mean, f32 and
bf16, loss and the logits' gradient, between CUDA events; and a copy of the logits' bytes. Checked against float64
before anything is timed. Without CUDA it ends with exit code 2.

pip install torch liger-kernel packaging
python benches/peers/pytorch_cuda.py --mebibytes 512
"""

import argparse
import sys
from functools import partial
from importlib.metadata import version

import torch
from torch.nn.functional import cross_entropy

from pytorch_batch import SHAPES, Batch
from pytorch_table import ROUNDS, head, rows

try:
    from liger_kernel.transformers import LigerCrossEntropyLoss

    LIGER = f"Liger {version('liger-kernel')}"
except ImportError as error:
    LigerCrossEntropyLoss = None
    LIGER = f"Liger is left out: {error}"

# 1024 to 262144, at as many bytes each: by default beyond any cache; hashing takes sixteen times as much memory.
CLASSES = [2**k for k in range(10, 19)]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--mebibytes", type=int, default=512, help="of logits at each class count")
    logits_bytes = arguments.parse_args().mebibytes * 2**20
    if not torch.cuda.is_available():
        print(f"PyTorch {torch.__version__} finds no CUDA device: nothing was run", file=sys.stderr)
        sys.exit(2)
    print(f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}, PyTorch {torch.__version__}, {LIGER}")
    print(f"loss and gradient; median of {ROUNDS}\n")
    head()
    for storage in [torch.float32, torch.bfloat16]:
        for shape in SHAPES + [(logits_bytes // (c * storage.itemsize), c) for c in CLASSES]:
            measure(shape, storage)


def measure(shape, storage):
    torch.compiler.reset()  # or a second shape is compiled as one of any size
    batch = Batch(*shape, storage, "cuda")
    runs = {
        "PyTorch": partial(batch.loss_and_gradient, cross_entropy),
        "torch.compile": partial(batch.loss_and_gradient, torch.compile(cross_entropy)),
    }
    if LigerCrossEntropyLoss:
        # Logits of its own, which it overwrites with their gradient: right in the first run, as quick in any.
        runs["Liger"] = partial(Batch(*shape, storage, "cuda").loss_and_gradient, LigerCrossEntropyLoss())
    for library, run in runs.items():
        batch.check(library, *run())
    to = torch.empty_like(batch.logits)
    rows(batch, timed, runs, partial(to.copy_, batch.logits.detach()))


def timed(run):
    """Milliseconds on the device's clock, waits for the host included."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    run()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)


if __name__ == "__main__":
    main()
