"""Where do gradients in pieces pay? Wide depthwise kernels of a backbone, by size of image and number of threads.

python -m tests.benchmarks.depthwise [--backbone NAME] [--sizes 32 64 ...] [--threads 1 2] [--batch-size 32]

For each shape that such a kernel meets, the time of its backward pass whole and in pieces, then that of a training
step of the whole network. The two take turns; medians; wall time and, in brackets, processor time, in ms.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import timm
import torch
from torch import Tensor
from torch.nn import functional as F

from ftcli.engine.depthwise import DepthwiseConv2d, in_pieces
from ftcli.engine.instead import instead
from ftcli.plans.depthwise import COLUMNS


class Met(NamedTuple):
    """A wide depthwise convolution as the network calls it."""

    channels: int
    height: int
    width: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


class Took(NamedTuple):
    """Milliseconds."""

    wall: float
    processor: float


def met_in(model: torch.nn.Module, size: int) -> Counter[Met]:
    """How often each is met by an image of so many pixels."""
    found: Counter[Met] = Counter()

    def conv2d(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        if groups == len(weight) > 1 and weight.shape[1] == 1 and weight.shape[3] > COLUMNS:
            kernel = (weight.shape[2], weight.shape[3])
            found[Met(*input.shape[1:], kernel, tuple(stride), tuple(padding))] += 1
        return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)

    with torch.no_grad():
        instead({torch.conv2d: conv2d}, model.eval())(torch.zeros(1, 3, size, size))
    return found


def backward_of(met: Met, batch_size: int, *, pieces: bool) -> Callable[[], Any]:
    generator = torch.Generator().manual_seed(0)
    shape = (batch_size, met.channels, met.height, met.width)
    images = torch.randn(shape, generator=generator).to(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(met.channels, 1, *met.kernel, generator=generator).requires_grad_()
    if pieces:
        output = DepthwiseConv2d.apply(images, weight, None, met.stride, met.padding)
    else:
        output = F.conv2d(images, weight, None, met.stride, met.padding, groups=met.channels)
    gradient = torch.randn(output.shape, generator=generator).to(memory_format=torch.channels_last)
    return lambda: torch.autograd.grad(output, (images, weight), gradient, retain_graph=True)


def step_of(model: torch.nn.Module, size: int, batch_size: int, *, pieces: bool) -> Callable[[], Any]:
    images = torch.randn(batch_size, 3, size, size).to(memory_format=torch.channels_last)
    labels = torch.arange(batch_size) % 10
    forward = in_pieces(model) if pieces else model

    def step() -> None:
        model.zero_grad()
        F.cross_entropy(forward(images), labels).backward()

    return step


def compared(whole: Callable[[], Any], pieces: Callable[[], Any], turns: int) -> tuple[Took, Took]:
    """Medians of both, in turn, after a turn to warm up."""
    took: list[list[Took]] = [[], []]
    for _ in range(turns + 1):
        for number, run in enumerate((whole, pieces)):
            wall, processor = time.perf_counter(), time.process_time()
            run()
            spent = Took(time.perf_counter() - wall, time.process_time() - processor)
            took[number].append(spent)
    first, second = (
        Took(*(1000 * median(column) for column in zip(*each[1:], strict=True))) for each in took
    )
    return first, second


def row(what: str, times: int, whole: Took, pieces: Took) -> str:
    told = "".join(f"{each.wall:9.2f} ({each.processor:8.2f})" for each in (whole, pieces))
    ratios = f"{whole.wall / pieces.wall:8.2f} ({whole.processor / pieces.processor:5.2f})"
    return f"{what:<44}{times:>3}{told}{ratios}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 96, 128, 160, 224])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--no-steps", action="store_true", help="single layers alone")
    asked = parser.parse_args()
    model = timm.create_model(asked.backbone, num_classes=10).to(memory_format=torch.channels_last)
    print(f"{asked.backbone}, batches of {asked.batch_size}, torch {torch.__version__}")
    for threads in asked.threads:
        torch.set_num_threads(threads)
        for size in asked.sizes:
            print(
                f"\n{size} pixels, {threads} threads{'whole':>39}{'in pieces':>20}{'ratio':>18}", flush=True
            )
            for met, times in met_in(model, size).items():
                runs = (backward_of(met, asked.batch_size, pieces=pieces) for pieces in (False, True))
                what = f"{met.channels} channels, {met.height}x{met.width}, "
                what += f"kernel {met.kernel[0]}x{met.kernel[1]}, stride {met.stride[0]}"
                print(row(what, times, *compared(*runs, asked.turns)), flush=True)
            if not asked.no_steps:
                model.train()
                steps = (step_of(model, size, asked.batch_size, pieces=pieces) for pieces in (False, True))
                print(row("step of the network", 1, *compared(*steps, asked.turns)), flush=True)


if __name__ == "__main__":
    main()
