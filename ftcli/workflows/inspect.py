"""What is frozen, what trains and how fast: of a recipe, a backbone by name, a run, or a living model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from ftcli.engine.any_model import MappedModel
from ftcli.engine.live_facts import HasGroups, live_facts
from ftcli.engine.network import Network
from ftcli.engine.weights_file import ModelCard
from ftcli.errors import DataError
from ftcli.findings import Finding
from ftcli.planner.corpus_notice import corpus_findings
from ftcli.planner.data_notice import data_findings
from ftcli.planner.verdicts import verdicts
from ftcli.plans.data_facts import DataFacts
from ftcli.plans.data_splits import TRAIN, DataSplits
from ftcli.plans.freeze_facts import FreezeFacts, plan_facts
from ftcli.plans.training_plan import Precision, TrainingPlan
from ftcli.recipe.load import recipe_from
from ftcli.recipe.schema import Recipe
from ftcli.workflows import corpus
from ftcli.workflows.open_network import open_network
from ftcli.workflows.prepare import facts_of, machine_for, open_splits, plan_of
from ftcli.workflows.texts import must_take_the_task

UNKNOWN_CLASSES = tuple(f"class {number}" for number in range(10))


@dataclass(frozen=True)
class Inspected:
    """`phases` are the facts of each phase of a plan, or of a living model as it is now (`plan` is None then)."""

    subject: str
    phases: tuple[FreezeFacts, ...]
    findings: tuple[Finding, ...]
    plan: TrainingPlan | None = None
    notes: tuple[str, ...] = ()


def inspect_plan(plan: TrainingPlan) -> Inspected:
    return Inspected(plan.layer_map.backbone, plan_facts(plan), plan.findings, plan)


def inspect_model(
    model: nn.Module, optimizers: Sequence[HasGroups], network: Network | None = None
) -> Inspected:
    """Any PyTorch model. Its layers are those of `network` where it is one of ours. Raises ModelError."""
    facts = live_facts(model, optimizers, None if network is None else _mapped(network))
    return Inspected(type(model).__name__, (facts,), verdicts(facts))


def _mapped(network: Network) -> MappedModel:
    return MappedModel(network.model, "", network.layer_map, network.module_layers)


def inspect_recipe(recipe: Recipe) -> TrainingPlan:
    """The plan that `train` would perform. Where the data is not at hand, ten classes of unknown size are assumed."""
    try:
        splits = open_splits(recipe)
    except DataError:
        return plan_for(recipe, UNKNOWN_CLASSES, None)
    if recipe.learns_tokens:
        return _inspect_corpus(recipe, splits)
    counts = tuple(splits.count_per_class(TRAIN).values())
    num_train = len(splits.streams[TRAIN])
    plan = plan_for(recipe, splits.classes, num_train, counts, multi_label=splits.multi_label)
    return plan.with_findings((*plan.findings, *data_findings(recipe, splits)))


def _inspect_corpus(recipe: Recipe, documents: DataSplits) -> TrainingPlan:
    """How many sequences there are shows when the documents are encoded, which is done here."""
    network = open_network(recipe, 1, meta=True)
    must_take_the_task(recipe, network)
    network = corpus.with_tokenizer(recipe, network, documents)
    store = corpus.packed(recipe, documents, network, lambda done, total: None)
    plan = _compile(recipe, network, facts_of(store.splits, network.preprocessing))
    noticed = (*data_findings(recipe, documents), *corpus_findings(store.facts))
    return plan.with_findings((*plan.findings, *noticed))


def inspect_backbone(name: str, strategy: str) -> TrainingPlan:
    """A backbone by name under a strategy with its defaults, for as many epochs as it has stages, at least ten."""
    content = {"data": {"kind": "digits"}, "model": {"backbone": name}, "strategy": {"kind": strategy}}
    recipe = recipe_from(content)
    network = open_network(recipe, len(UNKNOWN_CLASSES), meta=True)
    epochs = max(recipe.train.epochs, len(network.layer_map.stages))
    enough = recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": epochs})})
    return _compile(enough, network, DataFacts(UNKNOWN_CLASSES, None, network.preprocessing))


def plan_for(
    recipe: Recipe,
    classes: tuple[str, ...],
    num_train: int | None,
    class_counts: tuple[int, ...] | None = None,
    card: ModelCard | None = None,
    precision: Precision | None = None,
    *,
    multi_label: bool = False,
) -> TrainingPlan:
    """The plan of a recipe for data of which only this much is known (see DataFacts).

    `card` is a trained model's: a network from a folder or a hub is rebuilt from it without asking there again.
    `precision` is what a run chose.
    """
    kept = card if card is not None and card.config is not None else None
    network = open_network(recipe, len(classes), meta=True, config=None if kept is None else kept.config)
    must_take_the_task(recipe, network)
    known = replace(network, preprocessing=kept.preprocessing) if kept else network
    facts = DataFacts(classes, num_train, known.preprocessing, class_counts, multi_label)
    return _compile(recipe, known, facts, precision)


def _compile(
    recipe: Recipe, network: Network, facts: DataFacts, precision: Precision | None = None
) -> TrainingPlan:
    """Of a network without weights nothing can be measured: what `precision: auto` comes to shows when it trains."""
    return plan_of(recipe, network, facts, machine_for(recipe), precision)
