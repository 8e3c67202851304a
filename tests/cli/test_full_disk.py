"""The disk fills up during a run: the command says so, keeps what there was, and goes on when there is room."""

from __future__ import annotations

import json

from safetensors.torch import load_file

from tests.full_disk import python_where_files_end_at
from tests.numerics.runs import same_bits

TRAIN = """
import os, sys
from ftcli.cli.app import call
from ftcli.engine import placement
from ftcli.cli.outcome import run
placement.cpu_has_bf16 = lambda: False  # as in the process of the tests
os.chdir(sys.argv[1])
print(run(call, ["train", "toy.yaml", "--out", "run", "--json"]))
"""
ROOM = 2_000_000
"""Bytes: the frozen network is smaller, the state of the whole one in training is larger."""


def test_a_disk_that_fills_up_in_the_second_phase(ftcli, toy, place):
    *told, code = python_where_files_end_at(ROOM, TRAIN, place).splitlines()
    assert code == "23"
    error = json.loads("\n".join(told))["error"]
    assert "the disk is full: File too large" in error["what"]
    assert error["where"] == "run/checkpoints/000002"
    wanted = int(error["remedy"].split(" bytes")[0].split()[-1].replace(",", ""))
    trained = sum(t.numel() * t.element_size() for t in load_file(toy.run / "best.safetensors").values())
    assert 3 * trained < wanted < 3.2 * trained, "the weights and two moments of each"
    assert "--resume" in error["remedy"]
    assert not list((place / "run").rglob("*.tmp"))
    assert ftcli("predict", "run", toy.images("test")[0], "--json").code == 0
    ended = ftcli("train", "toy.yaml", "--out", "run", "--resume", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["test"] == toy.summary["test"]
    assert same_bits(place / "run", toy.run)
