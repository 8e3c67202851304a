"""Which word was meant, and silence where that is a guess."""

from __future__ import annotations

import pytest

from ftcli.recipe.load import recipe_from
from ftcli.recipe.near import nearest, renamed

KINDS = ("folder", "csv", "hf_dataset", "webdataset", "torchvision")


@pytest.mark.parametrize(
    ("word", "words", "meant"),
    [
        ("AdamW", ("adamw", "sgd"), "adamw"),
        ("cross-entropy", ("cross_entropy", "focal"), "cross_entropy"),
        ("gpu", ("auto", "cpu", "cuda"), "cuda"),
        ("acc", ("accuracy", "balanced_accuracy"), "accuracy"),
        ("cosine_annealing", ("cosine", "linear"), "cosine"),
        ("foldr", KINDS, "folder"),
        ("my_webdataset", KINDS, "webdataset"),
        ("parquet", KINDS, "hf_dataset"),
        ("zzz", KINDS, None),
        (3, KINDS, None),
        ("", KINDS, None),
    ],
)
def test_the_word_that_was_meant(word: object, words: tuple[str, ...], meant: str | None) -> None:
    assert nearest(word, words) == meant


def test_what_others_call_so_is_no_guess() -> None:
    assert renamed("kfold", ("folds", "fold")) == "folds"
    assert renamed("foldz", ("folds", "fold")) is None


def test_a_value_that_is_an_option_of_its_own() -> None:
    from ftcli.errors import RecipeError

    data = {"kind": "digits", "split": {"by": "kfold"}}
    with pytest.raises(RecipeError) as caught:
        recipe_from({"data": data, "model": {"backbone": "timm/a"}, "strategy": "full"})
    (problem,) = caught.value.problems
    assert problem.remedy == "did you mean the option data.split.folds?"
