"""Which word was meant: by what people call it elsewhere, by its beginning, by its letters, by a part of it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_ALSO_CALLED = {
    "cuda": ("gpu", "nvidia"),
    "fp16": ("float16", "half"),
    "bf16": ("bfloat16",),
    "fp32": ("float32", "float", "full", "single"),
    "macro_f1": ("f1", "f1_macro", "f1_score"),
    "loss": ("val_loss",),
    "folds": ("kfold", "kfolds", "num_folds", "n_folds", "n_splits", "cv"),
    "feature_extraction": ("linear_probe", "probe", "frozen", "head_only"),
    "full": ("finetune", "fine_tune", "finetuning", "fine_tuning"),
    "gradual": ("ulmfit", "progressive"),
    "layer_decay": ("llrd", "lrd"),
    "cross_entropy": ("ce", "softmax"),
    "freeze_stats": ("eval", "frozen_bn"),
    "hf_dataset": ("huggingface", "hugging_face", "datasets", "parquet", "arrow", "hub"),
    "folder": ("image_folder", "imagefolder", "directory", "dir"),
    "csv": ("manifest", "jsonl", "table"),
    "webdataset": ("wds", "tar", "shards"),
    "one_cycle": ("onecycle",),
    "weighted": ("weights",),
    "epochs": ("epoch", "num_epochs", "max_epochs", "n_epochs"),
    "batch_size": ("bs",),
    "accumulation": ("grad_accum", "gradient_accumulation", "gradient_accumulation_steps"),
    "lr": ("learning_rate",),
}
_LEAST_PART = 3
"""Letters; a shorter part says nothing."""


def nearest(word: object, words: Iterable[str]) -> str | None:
    """The one of `words` that `word` was meant to be; None where none is near, or several are as near."""
    asked = str(word).lower().replace("-", "_").replace(" ", "_")
    known = {each.lower(): each for each in words}
    found = (
        _same(asked, known)
        or _also_called(asked, known)
        or _begins(asked, known)
        or _alike(asked, known)
        or _part(asked, known)
    )
    return known[found] if found else None


def renamed(word: str, words: Iterable[str]) -> str | None:
    """The one of `words` that is `word`, or that others call so: no guess from letters."""
    asked = word.lower().replace("-", "_")
    known = {each.lower(): each for each in words}
    found = _same(asked, known) or _also_called(asked, known)
    return known[found] if found else None


def _same(asked: str, known: Iterable[str]) -> str | None:
    return asked if asked in known else None


def _also_called(asked: str, known: Iterable[str]) -> str | None:
    return next((each for each in known if asked in _ALSO_CALLED.get(each, ())), None)


def _begins(asked: str, known: Iterable[str]) -> str | None:
    """acc for accuracy, cosine_annealing for cosine."""
    if len(asked) < 2:
        return None
    return _only([each for each in known if each.startswith(asked) or asked.startswith(f"{each}_")])


def _alike(asked: str, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(asked, list(known), n=1)), None)


def _part(asked: str, known: Iterable[str]) -> str | None:
    if len(asked) < _LEAST_PART:
        return None
    return _only([each for each in known if asked in each or (len(each) >= _LEAST_PART and each in asked)])


def _only(found: list[str]) -> str | None:
    return found[0] if len(found) == 1 else None
