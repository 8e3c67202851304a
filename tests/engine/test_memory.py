"""What a step does without: pages that come anew, copies of what is kept anyway, questions after absent devices."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from ftcli.engine.memory import keep_freed_memory
from ftcli.engine.placement import place
from ftcli.engine.seed import derive, seed_step

FAULTS = """
import resource, torch
from ftcli.engine.memory import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
for step in range(20):
    if step == 8:  # by then the heap has found its size
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16, 2**20).mul(2)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux" or not keep_freed_memory(), reason="another C library")
@pytest.mark.slow
def test_freed_memory_comes_back_without_faults():
    faults = [
        int(subprocess.check_output([sys.executable, "-c", FAULTS.format(keep=keep)], text=True))
        for keep in (True, False)
    ]
    assert faults[0] < faults[1] / 2


def test_a_step_draws_as_after_manual_seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(3, "step", 1, 2))
        drawn = torch.rand(5)
        seed_step(3, "cpu", "step", 1, 2)
        assert torch.equal(drawn, torch.rand(5))


@pytest.mark.parametrize("activation", [nn.ReLU6, nn.SiLU, nn.Hardswish, nn.Mish, nn.ELU, nn.ReLU])
def test_activations_give_the_same_bits_as_in_place(activation):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), activation(inplace=True), nn.Conv2d(8, 4, 1))
    images = torch.randn(2, 3, 16, 16)
    found = []
    for network in (model, place(model, "cpu")):
        network.zero_grad()
        out = network(images.to(memory_format=torch.channels_last))
        out.square().mean().backward()
        found.append([out.detach(), *(p.grad.clone() for p in network.parameters())])
    if activation is nn.ReLU:
        assert model[2].inplace
    else:
        assert not model[2].inplace
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


HELD = """
import torch
from ftcli.engine.memory import give_back, keep_freed_memory
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
keep_freed_memory()
for _ in range(2):
    torch.ones(64, 2**20).mul(2)
held = resident()
give_back()
print(held - resident())
"""


@pytest.mark.skipif(sys.platform != "linux" or not keep_freed_memory(), reason="another C library")
def test_what_is_kept_can_be_given_back():
    given = int(subprocess.check_output([sys.executable, "-c", HELD], text=True))
    assert given > 200 * 2**20
