"""What a recipe is likely to take on this machine, before its data are read and its weights fetched."""

from __future__ import annotations

from ftcli.engine.forecast import forecast
from ftcli.engine.network import Network
from ftcli.engine.placement import find_machine, place
from ftcli.engine.step_memory import step_memory
from ftcli.planner.estimate import Images, estimate
from ftcli.plans.data_facts import DataFacts
from ftcli.plans.estimate import Estimate
from ftcli.plans.training_plan import Machine
from ftcli.recipe.schema import Recipe
from ftcli.workflows.cache import open_store
from ftcli.workflows.prepare import plan_of


def estimate_of(recipe: Recipe, network: Network, classes: tuple[str, ...], images: Images) -> Estimate:
    """`network` is the recipe's, on any device; its weights may be random, and are so afterwards.

    Nothing is timed for a GPU where there is none.
    """
    machine, here = _machine(recipe)
    place(network.model, machine.device if here else "cpu")
    facts = DataFacts(classes, images.num_train, network.preprocessing)
    plan = plan_of(recipe, network, facts, machine)
    counted = [step_memory(network, phase) for phase in plan.phases]
    tensors = sum(tensor.nbytes for tensor in (*network.model.parameters(), *network.model.buffers()))
    shared = open_store(recipe) is not None
    forecasts = forecast(plan, network, images.num_val, shared=shared) if here else ()
    return estimate(plan, counted, forecasts, tensors, images)


def _machine(recipe: Recipe) -> tuple[Machine, bool]:
    """The one that the recipe asks for, and whether it is this one."""
    found = find_machine(recipe.runtime.device)
    if recipe.runtime.device == "cuda" and found.device != "cuda":
        return Machine("cuda", bf16=True), False
    return found, True
