"""From divergences by layer to one number, and to a meaning."""

from __future__ import annotations

import pytest

from ftcli.planner.domain_scale import KNOWN, meaning
from ftcli.plans.domain_distance import Anchors, DomainDistance, LayerDistance

ANCHORS = Anchors(photographs=0.04, noise=0.64)


@pytest.mark.parametrize(
    ("divergence", "distance"), [(0.04, 0), (0.08, 0.25), (0.16, 0.5), (0.64, 1), (0, 0), (9, 1)]
)
def test_the_scale_is_logarithmic_between_its_ends_and_stops_there(
    divergence: float, distance: float
) -> None:
    assert ANCHORS.scaled(divergence) == pytest.approx(distance)


def test_the_mean_over_layers_is_what_is_scaled_and_stages_tell_it_apart() -> None:
    layers = [("stem.bn", "stem", 0.3), ("a.bn1", "a", 0.1), ("a.bn2", "a", 0.08)]
    found = DomainDistance("toy", 9, tuple(LayerDistance(n, s, 4, d) for n, s, d in layers), ANCHORS)
    assert found.divergence == pytest.approx(0.16)
    assert found.value == 0.5
    assert found.stages == pytest.approx({"stem": 0.3, "a": 0.09})
    assert [layer["name"] for layer in found.to_dict()["layers"]] == ["stem.bn", "a.bn1", "a.bn2"]


def test_a_distance_is_told_by_the_sets_next_to_it() -> None:
    assert meaning(0) == "about as photographs (0)"
    assert meaning(0.55) == "about as Fashion-MNIST (0.56)"
    assert meaning(0.3) == "between photographs of one scene (0.18) and emoji drawings (0.4)"
    assert meaning(1) == "about as noise (1)"
    assert [distance for distance, _ in KNOWN] == sorted(distance for distance, _ in KNOWN)
