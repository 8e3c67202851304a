"""How much a run computed to train: counted from its plan, whatever the machine, the precision or the cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ftcli.engine.network import Network
from ftcli.engine.run_folder import RunFolder
from ftcli.engine.training_flops import StepFlops, step_flops
from ftcli.engine.weights_file import read_card
from ftcli.plans.inputs import inputs_from_dict, size_of
from ftcli.recipe.load import load_recipe
from ftcli.workflows.open_network import open_network

COMPUTED_EVERY_TIME = ("network-not-cut", "prefix-too-large")
"""Findings that tell of a frozen part which was not kept after all."""


class TrainingWork:
    """FLOPs of runs, with what several of them have in common counted once."""

    def __init__(self) -> None:
        self._networks: dict[str, Network] = {}
        self._steps: dict[tuple[str, frozenset[str], float | None], StepFlops] = {}

    def flops(
        self, run: RunFolder, plan: Mapping[str, Any], phases: Sequence[str], rules: set[str]
    ) -> int | None:
        """Of all training examples: forward and backward, in each epoch of `phases` (the phase of each by its name).

        A frozen part that was kept counts once for each view of an image, though an earlier run may have left it on
        the disk: a variant costs what it costs alone. Validation, test and the probe for the floor are left out.
        A text counts as one of mean length, without what stands behind it in a batch.
        None where the network cannot be counted (its folder is gone, an operator knows no such tensors).
        """
        try:
            return self._counted(run, plan, Counter(phases), kept=not rules & set(COMPUTED_EVERY_TIME))
        except (
            Exception
        ):  # whatever a library's model raises without weights: the rest of the comparison is there
            return None

    def _counted(self, run: RunFolder, plan: Mapping[str, Any], epochs: Counter[str], *, kept: bool) -> int:
        network = self._network(run, plan)
        total = 0.0
        once: dict[int, tuple[int, float]] = {}
        for phase in plan["phases"]:
            if not epochs[phase["name"]]:
                continue
            step = self._step(network, frozenset(phase["mask"]["trainable"]), plan.get("tokens"))
            prefix, below = phase["prefix"], 0.0
            if kept and prefix["views"] and prefix["cost"]:
                below = step.forward * prefix["cost"]["share"]
                views = max(prefix["views"], once.get(prefix["boundary"], (0, 0.0))[0])
                once[prefix["boundary"]] = views, below
            total += epochs[phase["name"]] * (step.forward - below + step.backward)
        total += sum(views * below for views, below in once.values())
        return round(plan["num_train"] * total)

    def _network(self, run: RunFolder, plan: Mapping[str, Any]) -> tuple[str, Network]:
        recipe, card = load_recipe(run.recipe), read_card(run.best)
        parts = (
            card.backbone,
            card.head,
            len(card.classes),
            card.group_norm,
            size_of(inputs_from_dict(plan["preprocessing"])),
        )
        key = repr((*parts, card.config, card.adapters))
        if key not in self._networks:
            self._networks[key] = open_network(recipe, len(card.classes), meta=True, config=card.config)
        return key, self._networks[key]

    def _step(
        self, network: tuple[str, Network], trainable: frozenset[str], tokens: float | None
    ) -> StepFlops:
        key = network[0], trainable, tokens
        if key not in self._steps:
            self._steps[key] = step_flops(network[1], trainable, tokens)
        return self._steps[key]
