"""What of a recipe comes to nothing with the data at hand: shares of a split that is there, weights that are none."""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.findings import Finding, Severity
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits
from ftcli.recipe.schema import Recipe

_DIVIDE_ANEW = {
    "csv": "data.split_column: null has all rows divided anew",
    "folder": "one folder of class folders, without train and test above them, is divided anew",
    "hf_dataset": "data.splits: {train: NAME} reads one split alone, and divides it",
    "text_hf_dataset": "data.splits: {train: NAME} reads one split alone, and divides it",
    "text_csv": "data.split_column: null has all rows divided anew",
    "text_folder": "one folder of class folders, without train and test above them, is divided anew",
    "webdataset": "without data.val_path and data.test_path the shards of data.path are divided",
}
_GIVE_WEIGHTS = {
    "csv": "fill the column that data.weight_column names",
    "hf_dataset": "name the column of weights: data.weight_column",
    "text_hf_dataset": "name the column of weights: data.weight_column",
    "text_csv": "fill the column that data.weight_column names",
    "webdataset": "give each sample a .json with a field weight",
}


def data_findings(recipe: Recipe, splits: DataSplits) -> tuple[Finding, ...]:
    return (*_unused_split(recipe, splits), *_equal_weights(recipe, splits))


def _unused_split(recipe: Recipe, splits: DataSplits) -> Iterator[Finding]:
    """What the recipe says of a split beyond the defaults, where something else decides."""
    reasons = [*_unused_shares(recipe, splits), *_unused_way(recipe, splits)]
    if not reasons:
        return
    anew = _DIVIDE_ANEW.get(recipe.data.kind)
    remedy = f"leave it out; {anew}" if anew and splits.given else "leave it out"
    severity: Severity = "warning" if recipe.data.split.by != "ratio" and _is_whole(splits) else "info"
    yield Finding(severity, "data.split", "; ".join(reasons), remedy, "split-not-used")


def _unused_shares(recipe: Recipe, splits: DataSplits) -> Iterator[str]:
    split = recipe.data.split
    if split.file is not None:
        return
    for stream in (VAL, TEST):
        share = getattr(split, stream)
        if share == type(split).model_fields[stream].default:
            continue
        if stream == VAL and split.folds:
            yield f"val: {share:g} is not used, for each of {split.folds} folds validates in its turn"
        elif stream in splits.given:
            yield f"{stream}: {share:g} is not used, for the data has its own {stream}"


def _unused_way(recipe: Recipe, splits: DataSplits) -> Iterator[str]:
    split = recipe.data.split
    if split.by == "ratio" or split.folds or split.file is not None or not _is_whole(splits):
        return
    checked = "; that no group stands in two of them was checked" if split.by == "group" else ""
    yield f"by: {split.by} divides nothing, for the data has its own train, val and test{checked}"


def _is_whole(splits: DataSplits) -> bool:
    return {VAL, TEST} <= set(splits.given)


def _equal_weights(recipe: Recipe, splits: DataSplits) -> Iterator[Finding]:
    if recipe.train.sampler != "weighted":
        return
    weights = {splits.examples[i].weight for i in splits.streams[TRAIN]}
    if len(weights) != 1 or weights == {0.0}:  # the sampler itself refuses nothing but zeros
        return
    give = _GIVE_WEIGHTS.get(recipe.data.kind, f"data of kind {recipe.data.kind} has no weights")
    yield Finding(
        "warning",
        "train.sampler",
        f"weighted draws by the examples' weights, and every one of them is {weights.pop():g}: "
        "that is chance alone, with some examples twice and others not at all",
        f"{give}; or set train.sampler: balanced (classes equally often) or shuffle (each example once)",
        "weights-all-alike",
    )
