"""The adapters of a run folded into its weights, proved on the run's own examples, and written for other libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any

from torch import Tensor

from ftcli.engine.batches import Batch
from ftcli.engine.determinism import plain_fp32
from ftcli.engine.evaluate import predict_logits
from ftcli.engine.hf_folder import refuse_no_such_class, write_model
from ftcli.engine.next_tokens import are_next_tokens
from ftcli.engine.peft_merge import MOST_DIFFERENCE, Parity, merge_into, parity
from ftcli.engine.placement import place
from ftcli.engine.run_folder import open_run_folder
from ftcli.engine.weights_file import save_model
from ftcli.engine.work import Batches
from ftcli.errors import UsageError
from ftcli.plans.data_splits import VAL
from ftcli.recipe.load import load_recipe
from ftcli.workflows.evaluate import batches_of, splits_of
from ftcli.workflows.saved_model import SavedModel, load_saved, rebuilt

MOST_INPUTS = 64
"""Validation examples that are compared: rounding shows on the first."""
FILE = ".safetensors"


@dataclass(frozen=True)
class Merged:
    """`out` has no adapters any more; `modules` is how many there were."""

    run: str
    out: str
    modules: int
    parity: Parity

    def to_dict(self) -> dict[str, Any]:
        found = {**asdict(self.parity), "relative": self.parity.relative, "bound": MOST_DIFFERENCE}
        return {"run": self.run, "out": self.out, "modules": self.modules, "parity": found}


def merge(run: Path, out: Path) -> Merged:
    """A file NAME.safetensors with the plain names of the network's library, or a folder for transformers.

    Raises UsageError for a run without adapters, ModelError where the logits are not the same but for rounding: then
    nothing is written.
    """
    apart = load_saved(run, "cpu")
    if apart.network.adapters is None:
        remedy = "take best.safetensors of the run: its names are the network's own"
        raise UsageError("the run has no adapters to fold", where=str(run), remedy=remedy)
    if apart.network.prompt is not None:
        what = "virtual tokens cannot be folded into weights: they are a part of what the network is given"
        remedy = (
            "keep them apart: the run's folder `adapter` is for PEFT, the run for ftcli evaluate and predict"
        )
        raise UsageError(what, where=str(run), remedy=remedy)
    card = replace(apart.card, adapters=None)
    if out.suffix != FILE:
        refuse_no_such_class(card)
    plain = rebuilt(card, run)
    merge_into(plain, apart.network)
    place(plain.model, apart.device).eval()
    found = parity(*_logits(run, apart, replace(apart, card=card, network=plain)))
    state = plain.model.state_dict()
    if out.suffix == FILE:
        save_model(out, state, card)
    else:
        write_model(out, state, card)
    return Merged(str(run), str(out), len(apart.network.adapters.targets or ()), found)


def _logits(run: Path, apart: SavedModel, folded: SavedModel) -> tuple[Tensor, Tensor]:
    """(N, C) each, in fp32, of the first validation examples.

    Of a language model's sequences (N, V), behind the last of their tokens: what it says there depends on all of them.
    """
    folder = open_run_folder(run)
    recipe = load_recipe(folder.recipe)
    splits = splits_of(folder, recipe)
    few = replace(splits, streams={VAL: splits.streams[VAL][:MOST_INPUTS]})
    batches = batches_of(recipe, few, (VAL,), apart)
    with plain_fp32(apart.device):
        first, second = (
            predict_logits(_last(model), _examples(batches), apart.device, "fp32")[0]
            for model in (apart, folded)
        )
    return first, second


def _last(model: SavedModel) -> Callable[[Tensor], Tensor]:
    """Its forward; a language model's at the last place alone."""
    if not model.network.language_model:
        return model.forward
    return lambda tokens_BL: model.forward(tokens_BL)[:, -1]


def _examples(batches: Batches) -> Iterator[Batch]:
    """Validation batches, of sequences as many as are compared: documents have any number of them."""
    for batch in islice(batches.evaluation(VAL), ceil(MOST_INPUTS / batches.batch_size)):
        yield replace(batch, labels=batch.labels[:, -1]) if are_next_tokens(batch.labels) else batch
