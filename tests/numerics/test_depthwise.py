"""Wide depthwise kernels that learn in pieces: named in the plan, and a run that goes on ends with the same bits."""

import json

import pytest

from tests.numerics.runs import Stop, metrics, run, same_bits, stop_after
from tests.toys import recipe, write_digits

CONVNEXT = "timm/test_convnext"


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("digits"), per_class=15, classes=3)


def test_a_run_that_goes_on_ends_with_the_same_bits(digits, tmp_path):
    made = recipe(digits, model={"backbone": CONVNEXT, "weights": "none"})
    run(made, tmp_path / "straight")
    with pytest.raises(Stop):
        run(made, tmp_path / "stopped", stop_after(1))
    run(made, tmp_path / "stopped", resume=True)
    assert same_bits(tmp_path / "straight", tmp_path / "stopped")
    plan = json.loads((tmp_path / "straight" / "plan.json").read_text())
    summary = json.loads((tmp_path / "stopped" / "summary.json").read_text())
    assert plan["depthwise"] == summary["depthwise"] == "in_pieces"


def test_in_pieces_and_whole_learn_the_same(digits, tmp_path):
    """Adam divides a gradient by its size: where that is near nothing, rounding shows."""
    for how in ("auto", "off"):
        runtime = {"device": "cpu", "depthwise": how}
        run(recipe(digits, model={"backbone": CONVNEXT, "weights": "none"}, runtime=runtime), tmp_path / how)
    pieces, whole = ([row["train_loss"] for row in metrics(tmp_path / how)] for how in ("auto", "off"))
    assert pieces == pytest.approx(whole, rel=1e-3)
