"""What a step keeps for the backward pass: exact on layers that can be counted by hand, near on a real process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ftcli.components import head
from ftcli.engine.build import build_network
from ftcli.engine.network import Network
from ftcli.engine.step_memory import step_memory
from ftcli.planner.compile import compile_plan
from ftcli.plans.data_facts import DataFacts
from ftcli.plans.phase import Phase
from ftcli.plans.training_plan import Machine
from ftcli.recipe.load import recipe_from
from tests.toys import RESNET


def network(backbone: str = RESNET, size: int = 64) -> Network:
    return build_network(backbone, "none", head.Linear(), 3, image_size=size, seed=0)


def phase_of(strategy: object, found: Network) -> Phase:
    content = {"data": "digits", "model": {"backbone": found.backbone}, "strategy": strategy}
    facts = DataFacts(("a", "b", "c"), 100, found.preprocessing)
    return compile_plan(recipe_from(content), found.layer_map, facts, Machine("cpu")).phases[-1]


def test_a_head_keeps_its_input_and_nothing_else() -> None:
    found = network()
    features = found.model.get_submodule(found.heads[0]).in_features
    assert step_memory(found, phase_of("feature_extraction", found)).saved == 4 * features


def test_more_stages_keep_more() -> None:
    strategies = ["feature_extraction", {"kind": "partial", "last_stages": 1}, "full"]
    saved = []
    for strategy in strategies:
        found = network()
        saved.append(step_memory(found, phase_of(strategy, found)).saved)
    assert saved[0] < saved[1] < saved[2]


def test_four_times_the_pixels_keep_four_times_as_much() -> None:
    small, large = (network("torchvision/resnet18", size) for size in (64, 128))
    saved = [step_memory(found, phase_of("full", found)) for found in (small, large)]
    assert saved[1].saved / saved[0].saved == pytest.approx(4, rel=0.02)
    assert saved[1].largest == 4 * saved[0].largest


PEAKS = """
import json, re
from pathlib import Path
import torch
from tests.engine.test_step_memory import network, phase_of, step_memory
from ftcli.engine.images import normalise

def peak(count):
    images = torch.zeros(count, 3, 96, 96, dtype=torch.uint8)
    found.model.zero_grad()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
    found.model(normalise(images, found.preprocessing)).square().mean().backward()
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

found = network("torchvision/resnet18", 96)
counted = step_memory(found, phase_of("full", found))
few, many = 4, 24
print(json.dumps([-peak(few) + peak(many), (many - few) * (counted.saved + 2 * counted.largest)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak cannot be counted anew")
def test_a_process_grows_by_about_as_much() -> None:
    """The peak of a process of its own, between a batch of 4 and one of 24."""
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True)
    measured, counted = json.loads(done.stdout)
    assert 0.6 < measured / counted < 1.6, (measured, counted)
