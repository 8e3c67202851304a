"""Features varied as an image would be: within their range, by seed, epoch, example and turn alone."""

import pytest
import torch

from ftcli.components.augment import Features
from ftcli.engine.feature_variation import channel_of, ranges_of, varied

SHAPES = {
    "features": (12, 5),
    "tokens": (12, 7, 5),
    "maps": (12, 5, 3, 3),
    "maps, channels last": (12, 3, 3, 5),
}
OPS = ["brightness", "contrast", "posterize"]
PICKS = [(number, 0) for number in range(12)]


def activations(shape):
    """Channels of very different ranges, one of them without any."""
    values = torch.randn(SHAPES[shape], generator=torch.Generator().manual_seed(0))
    channel = channel_of(values.shape)
    scale = torch.tensor([1.0, 10.0, 0.1, 100.0, 0.0])
    return values.movedim(channel, -1).mul(scale).movedim(-1, channel)


def by_channel(rows):
    return rows.movedim(channel_of(rows.shape), 0).flatten(1)


def options(op="brightness", **given):
    return Features(kind="features", op=op, **given)


def vary(rows, given, seed=0, epoch=0, picks=PICKS):
    return varied(rows, ranges_of([rows], per_channel=given.per_channel), given, seed, epoch, picks)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("per_channel", [True, False])
def test_what_is_varied_stays_in_its_range(shape, op, per_channel):
    rows = activations(shape)
    found = vary(rows, options(op, per_channel=per_channel, strength=1))
    assert found.shape == rows.shape
    assert not torch.equal(found, rows)
    within = by_channel if per_channel else (lambda tensor: tensor.flatten()[None])
    room = 1e-5 * (within(rows).amax(1) - within(rows).amin(1))
    assert (within(found).amax(1) <= within(rows).amax(1) + room).all()
    assert (within(found).amin(1) >= within(rows).amin(1) - room).all()


@pytest.mark.parametrize("op", OPS)
def test_an_example_is_varied_alike_in_whatever_batch(op):
    rows = activations("maps")
    given, ranges = options(op, strength=0.5), ranges_of([rows], per_channel=True)
    whole = varied(rows, ranges, given, 0, 3, PICKS)
    for start in (0, 5):
        assert torch.equal(varied(rows[start:], ranges, given, 0, 3, PICKS[start:]), whole[start:])


@pytest.mark.parametrize("other", [{"seed": 1}, {"epoch": 1}, {"picks": [(n, 1) for n in range(12)]}])
def test_seed_epoch_example_and_turn_decide(other):
    rows = torch.ones(12, 5) * torch.arange(5) + torch.eye(12, 5)
    found = vary(rows, options())
    assert torch.equal(found, vary(rows, options()))
    assert not torch.equal(found, vary(rows, options(), **other))
    assert not torch.equal(found[10], found[11]), "two examples of the same features"


def test_brightness_shifts_all_places_of_a_channel_alike():
    rows = activations("maps")[:, :4]
    ranges = ranges_of([rows, 100 * rows], per_channel=True)  # so wide that nothing meets an end
    moved = (varied(rows, ranges, options(strength=0.2), 0, 0, PICKS) - rows) / ranges.width
    assert moved.flatten(2).std(2).max() < 1e-5
    assert moved.abs().max() <= 0.2
    assert moved[:, :, 0, 0].std() > 0.05
    together = ranges_of([rows, 100 * rows], per_channel=False)
    alike = varied(rows, together, options(strength=0.2, per_channel=False), 0, 0, PICKS) - rows
    assert alike.flatten(1).std(1).max() < 1e-4 * together.width.item()
    assert alike.flatten(1).mean(1).std() > 0.05 * together.width.item()


def test_contrast_keeps_the_mean_of_the_training_images():
    rows = activations("features")
    mean = rows.mean(0, keepdim=True)
    ranges = ranges_of([rows, -100 * rows, 100 * rows], per_channel=True)
    assert torch.allclose(ranges.mean, mean / 3, atol=1e-4)
    found = varied(ranges.mean.expand(12, -1), ranges, options("contrast", strength=1), 0, 0, PICKS)
    assert ((found - ranges.mean).abs() <= 1e-6 * ranges.width).all()


def test_posterize_leaves_so_many_steps():
    rows = torch.linspace(0, 1, 4096)[None].repeat(64, 1)
    found = vary(
        rows, options("posterize", strength=0.5, per_channel=False), picks=[(n, 0) for n in range(64)]
    )
    steps = {len(row.unique()) for row in found}
    assert steps == {2**bits for bits in range(4, 9)}, "of 8 bits up to 3.5, rounded, are lost"


def test_ranges_are_those_of_all_parts():
    rows = activations("tokens")
    whole, parts = (ranges_of(each, per_channel=True) for each in ([rows], rows.split(5)))
    assert torch.equal(whole.low, parts.low)
    assert torch.equal(whole.high, parts.high)
    assert torch.equal(whole.low.flatten(), by_channel(rows).amin(1))
    assert torch.allclose(whole.mean.flatten(), by_channel(rows).mean(1), atol=1e-5)


def test_the_dtype_stays():
    rows = activations("maps").bfloat16()
    assert vary(rows, options()).dtype == torch.bfloat16
