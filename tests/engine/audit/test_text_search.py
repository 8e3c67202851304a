"""Near copies of texts: what a person would call one, and what only sounds alike."""

from __future__ import annotations

import pytest

from ftcli.engine.audit.text_print import text_print
from ftcli.engine.audit.text_search import TextPairs, near_texts

TEXT = "The parcel came two days late, the box was open and one of the cups was broken"


def found(*texts: str) -> TextPairs:
    return near_texts([text_print(text) for text in texts])


@pytest.mark.parametrize(
    "copy",
    [
        TEXT.replace(",", ";").upper(),
        TEXT.replace(" open", ""),
        TEXT.replace("two", "three"),
        TEXT.replace("two days late", "late two days"),
        f"{TEXT}. I shall not order here again, and told so to everybody.",
    ],
    ids=["other signs", "a word less", "another word", "words swapped", "a sentence more"],
)
def test_a_changed_text_is_a_near_copy(copy: str) -> None:
    near = found("Nothing of this kind was ever sold in our shop, sorry", TEXT, copy)
    assert list(near.pairs) == [(1, 2)]
    assert near.likeness[0] >= 0.5


def test_a_text_within_another_is_told() -> None:
    near = found(TEXT, f"{TEXT}. I shall not order here again, and told so to everybody.")
    assert list(near.contained) == [True]
    assert near.likeness[0] == pytest.approx(30 / 51)  # 14 words and 16 pairs; 10 and 11 more


def test_texts_on_one_subject_are_none() -> None:
    assert not found(TEXT, "The parcel came in time, the box was new and all of the cups were as shown").pairs


def test_few_words_are_compared_as_a_whole_alone() -> None:
    assert not found("not so good", "not so very good").pairs


def test_scripts_without_blanks_have_words_too() -> None:
    near = found("荷物は二日遅れて届き、箱は開いていました", "荷物は三日遅れて届き、箱は開いていました")
    assert list(near.pairs) == [(0, 1)]


def test_a_thousand_of_one_template_are_tied_without_being_all_compared() -> None:
    """Each has its nearest, so that they hang together; not half a million pairs."""
    texts = [f"{TEXT} says customer number {number} of this week" for number in range(300)]
    near = found(*texts)
    assert {other for _, other in near.pairs} == set(range(1, 300))
    assert len(near.pairs) < 300 * 8


def test_the_print_minds_neither_case_nor_blanks_but_signs() -> None:
    assert text_print("Is it\n good?").digest == text_print("is it GOOD?").digest
    assert text_print("Is it good?").digest != text_print("Is it good!").digest
    assert text_print("Is it good?").words.tolist() == text_print("is it good").words.tolist()
