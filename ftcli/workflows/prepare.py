"""From a recipe to everything a run needs: data, network and plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ftcli.engine.images import ImageStore
from ftcli.engine.inputs import ExampleStore
from ftcli.engine.network import Network
from ftcli.engine.packing import PackedStore
from ftcli.engine.placement import find_machine, place
from ftcli.engine.prefix_cost import prefix_costs
from ftcli.engine.quantised_base import must_compute
from ftcli.engine.stopwatch import span
from ftcli.engine.texts import TextStore
from ftcli.engine.weights_file import ModelCard
from ftcli.findings import Finding
from ftcli.planner.choose import choose_augment
from ftcli.planner.compile import compile_plan
from ftcli.planner.corpus_notice import corpus_findings
from ftcli.planner.data_notice import data_findings
from ftcli.planner.quantised_notice import base_is_quantised
from ftcli.planner.refuse import check_device
from ftcli.plans.data_facts import DataFacts
from ftcli.plans.data_splits import TRAIN, DataSplits
from ftcli.plans.inputs import Inputs
from ftcli.plans.training_plan import Bf16Effect, Machine, Precision, TrainingPlan
from ftcli.recipe.schema import Recipe
from ftcli.registry import implementation
from ftcli.workflows import corpus
from ftcli.workflows.bf16_evidence import bf16_evidence, not_finite
from ftcli.workflows.decoded import scanned
from ftcli.workflows.open_network import must_take_images, open_network
from ftcli.workflows.texts import encoded_texts, must_take_the_task, noticed_of_texts


@dataclass(frozen=True)
class Prepared:
    """`notes` tell what was found on the way: which weights were taken, how many images there are.

    `store` holds the examples where they had to be read before the plan: images, as what is skipped does not train;
    texts, as their lengths are told with it; the sequences of a corpus, as they are what an epoch counts. `splits` are
    then of its documents.
    """

    splits: DataSplits
    network: Network
    plan: TrainingPlan
    augment: Any
    notes: tuple[str, ...]
    store: ExampleStore | None = None

    @property
    def counted(self) -> DataSplits:
        """What an epoch counts and a score is the mean of."""
        return self.splits if self.store is None else self.store.splits


def prepare(
    recipe: Recipe,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    precision: Precision | None = None,
) -> Prepared:
    """Open the data and the network and compile the plan. The network stands on its device.

    With data.on_bad_image skip every image is read here, for the plan counts those that train.
    `precision` is what a run that goes on has chosen; else it is measured where the recipe leaves it open.
    """
    machine = machine_for(recipe)
    with span("data"):
        splits = open_splits(recipe)
    with span("network"):
        network = open_network(recipe, max(len(splits.classes), 1))
        must_take_the_task(recipe, network)
        network = corpus.with_tokenizer(recipe, network, splits) if recipe.learns_tokens else network
        place(network.model, machine.device)
        must_compute(network.model)
    if not recipe.takes_texts and recipe.data.image_size is not None:
        must_take_images(network, machine.device)
    store = _read_before_the_plan(recipe, splits, network, on_progress)
    counted = store.splits if store is not None else splits
    splits = splits if recipe.learns_tokens else counted
    with span("precision"):
        evidence = precision or bf16_evidence(
            recipe, machine, network, store or ImageStore(splits, network.images, 0)
        )
    facts = facts_of(counted, network.preprocessing)
    if isinstance(store, TextStore):
        facts = replace(facts, tokens=store.facts.mean_length)
    elif isinstance(store, PackedStore):
        facts = replace(facts, tokens=float(store.facts.sequence_length))
    with span("plan"):
        plan = plan_of(recipe, network, facts, machine, evidence)
    noticed = (
        *data_findings(recipe, splits),
        *_left_out(splits),
        *_noticed_in(store),
        *not_finite(evidence),
    )
    plan = plan.with_findings((*plan.findings, *noticed))
    counts = corpus.told(store) if isinstance(store, PackedStore) else _counts(splits)
    return Prepared(
        splits, network, plan, choose_augment(recipe).value, (network.weights_note, counts), store
    )


def _noticed_in(store: ExampleStore | None) -> tuple[Finding, ...]:
    if isinstance(store, TextStore):
        return noticed_of_texts(store)
    return corpus_findings(store.facts) if isinstance(store, PackedStore) else ()


def _read_before_the_plan(
    recipe: Recipe, splits: DataSplits, network: Network, on_progress: Callable[[int, int], None]
) -> ExampleStore | None:
    if recipe.learns_tokens:
        with span(f"reading {splits.noun}s", len(splits.examples)):
            return corpus.packed(recipe, splits, network, on_progress)
    if recipe.takes_texts:
        with span("reading texts", len(splits.examples)):
            return encoded_texts(recipe, splits, network, on_progress)
    if recipe.data.on_bad_image == "skip":
        return scanned(recipe, splits, network.images, on_progress, skip=True)
    return None


def plan_of(
    recipe: Recipe,
    network: Network,
    facts: DataFacts,
    machine: Machine,
    precision: Bf16Effect | Precision | None = None,
) -> TrainingPlan:
    """Twice: what the frozen parts cost can be counted once it is known which they are."""
    plan = _compiled(recipe, network, facts, machine, precision)
    boundaries = {phase.prefix.boundary for phase in plan.phases if phase.prefix.boundary}
    if not boundaries:
        return plan
    known = replace(facts, prefix_costs=prefix_costs(network, boundaries, facts.tokens))
    return _compiled(recipe, network, known, machine, precision)


def _compiled(
    recipe: Recipe,
    network: Network,
    facts: DataFacts,
    machine: Machine,
    precision: Bf16Effect | Precision | None,
) -> TrainingPlan:
    plan = compile_plan(recipe, network.layer_map, facts, machine, precision)
    if network.quantised is None:
        return plan
    return plan.with_findings((*plan.findings, base_is_quantised(network.quantised)))


def facts_of(splits: DataSplits, preprocessing: Inputs) -> DataFacts:
    """What a plan needs to know of data that is at hand."""
    counts = tuple(splits.count_per_class(TRAIN).values())
    return DataFacts(splits.classes, len(splits.streams[TRAIN]), preprocessing, counts, splits.multi_label)


def machine_for(recipe: Recipe) -> Machine:
    """The machine as the recipe wants it used. Raises MachineError when it asks for a GPU that is not there."""
    available = find_machine("auto").device == "cuda"
    check_device(recipe, available)
    return find_machine(recipe.runtime.device)


def open_splits(recipe: Recipe) -> DataSplits:
    splits: DataSplits = implementation(recipe.data, "open_splits")(recipe.data, recipe.seed)
    return splits


def _left_out(splits: DataSplits) -> tuple[Finding, ...]:
    """What data.on_bad_image skip has cost, by class. The files and reasons stand in split.json."""
    if not splits.left_out:
        return ()
    of = {example.key: splits.label_name(index) for index, example in enumerate(splits.examples)}
    counts = Counter(of[key] for key in splits.left_out)
    told = ", ".join(f"{count} of {name!r}" for name, count in sorted(counts.items()))
    key, reason = next(iter(splits.left_out.items()))
    message = f"{counts.total()} images are left out, for they cannot be read: {told}; {key}: {reason}"
    remedy = "replace the files that left_out in split.json lists"
    return (Finding("warning", "data.on_bad_image", message, remedy, "bad-images-skipped"),)


def model_card(recipe: Recipe, prepared: Prepared) -> ModelCard:
    return ModelCard(
        backbone=recipe.model.backbone,
        head=recipe.model.head.model_dump(mode="json"),
        classes=prepared.splits.classes,
        preprocessing=prepared.plan.preprocessing,
        group_norm=prepared.plan.norm.to_group_norm,
        task=recipe.task,
        config=prepared.network.config,
        multi_label=prepared.splits.multi_label,
        tokenizer=prepared.network.tokenizer,
        adapters=adapters.to_dict() if (adapters := prepared.network.adapters) else None,
    )


def _counts(splits: DataSplits) -> str:
    counts = ", ".join(f"{len(indices):,} {stream}" for stream, indices in splits.streams.items())
    how = f"; split {splits.how}" if splits.how else ""
    return f"{splits.source}: {counts}; {len(splits.classes)} classes{how}"
