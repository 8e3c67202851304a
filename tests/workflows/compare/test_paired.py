"""The paired test against cases that can be counted by hand, and against every way to choose the signs."""

from __future__ import annotations

from itertools import product

import pytest

from ftcli.workflows.compare.paired import Paired, compare_pair, sign_flip_p, with_holm


def right(text: str) -> dict[str, bool]:
    """A letter an image: `+` where the run was right."""
    return {f"{number:02}": letter == "+" for number, letter in enumerate(text)}


def test_with_one_seed_it_is_mcnemars_exact_test() -> None:
    """8 images that the best alone had right, 2 the other: 2 * (1 + 10 + 45) / 2**10."""
    pair = compare_pair("a", "b", [(right("++++++++--++++----"), right("--------++++++----"))])
    assert pair is not None
    assert (pair.only_best, pair.only_other, pair.num_images) == (8, 2, 18)
    assert pair.p == pytest.approx(2 * (1 + 10 + 45) / 2**10, abs=1e-12)
    assert pair.difference == pytest.approx(6 / 18)
    assert -0.05 < pair.low < pair.difference < pair.high < 0.7


@pytest.mark.parametrize("differences", [[3, -1, 2, 1, 0, 0], [1, 1, 1], [2, 2, -2, 1, 3], [0, 0], []])
def test_with_several_it_is_every_way_to_choose_the_signs(differences: list[int]) -> None:
    observed = abs(sum(differences))
    sums = [
        abs(sum(sign * d for sign, d in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    assert sign_flip_p(differences) == pytest.approx(sum(s >= observed for s in sums) / len(sums), abs=1e-12)


def test_seeds_that_repeat_an_image_make_no_more_images_of_it() -> None:
    """The same predictions under two seeds are no more evidence than under one."""
    one, other = right("+++++---"), right("---++++-")
    once, twice = (compare_pair("a", "b", [(one, other)] * seeds) for seeds in (1, 2))
    assert once is not None
    assert twice is not None
    assert (once.num_images, twice.num_images, twice.num_pairs) == (8, 8, 2)
    assert twice.p == pytest.approx(once.p)
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))


def test_thousands_of_images_at_once() -> None:
    many = sign_flip_p([1] * 3000 + [-1] * 2000)
    assert 0 < many < 1e-40
    assert sign_flip_p([1] * 2500 + [-1] * 2500) == pytest.approx(1)


def test_other_test_images_are_not_paired() -> None:
    assert compare_pair("a", "b", [(right("++"), right("+++"))]) is None
    assert compare_pair("a", "b", []) is None


def test_holm_by_hand() -> None:
    def of(other: str, p: float) -> Paired:
        return Paired("best", other, 9, 1, 1, 1, 0.0, 0.0, 0.0, p)

    adjusted = {pair.other: pair.p_holm for pair in with_holm([of("x", 0.04), of("y", 0.01), of("z", 0.03)])}
    assert adjusted == pytest.approx({"y": 0.03, "z": 0.06, "x": 0.06})
