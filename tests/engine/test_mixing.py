"""Mixup and cutmix: images and labels are shared out alike, as a function of seed, epoch and batch."""

import pytest
import torch

from ftcli.components.augment import Varied, mixing
from ftcli.engine.batches import Batch
from ftcli.engine.mixing import mixed

LABELS = torch.tensor([0, 1, 2, 3])
IMAGES = (60 * LABELS).to(torch.uint8)[:, None, None, None].expand(4, 3, 16, 16)
"""Each image is of one grey, which tells its label."""


def batches(kind, seed=0, epoch=0, alpha=None, count=2):
    mix = mixing(Varied(kind="light", mix=kind, mix_alpha=alpha), 4)
    plain = (Batch(IMAGES, LABELS, (0, 1, 2, 3)) for _ in range(count))
    return list(mixed(plain, mix, seed, epoch))


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_labels_are_shared_as_the_images_are(kind):
    for batch in batches(kind, alpha=1.0, count=20):
        assert batch.inputs.dtype == torch.uint8
        assert batch.labels.shape == (4, 4)
        torch.testing.assert_close(batch.labels.sum(1), torch.ones(4))
        # The mean grey of an image is that of its labels, up to the rounding of a pixel.
        grey = batch.inputs.float().mean((1, 2, 3))
        torch.testing.assert_close(grey, 60 * batch.labels @ LABELS.float(), rtol=0, atol=0.51)


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_seed_epoch_and_batch_decide(kind):
    first, second = batches(kind)
    again, _ = batches(kind)
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.labels, again.labels)
    for other in (second, batches(kind, epoch=1)[0], batches(kind, seed=1)[0]):
        assert not torch.equal(first.labels, other.labels)


def test_cutmix_pastes_and_mixup_blends():
    greys = {int(value) for batch in batches("cutmix", count=10) for value in batch.inputs.unique()}
    assert greys == {0, 60, 120, 180}
    assert len(batches("mixup", alpha=1.0)[0].inputs.unique()) == 4
    assert {0, 60, 120, 180} != {int(v) for v in batches("mixup", alpha=1.0)[0].inputs.unique()}


def test_the_caller_s_random_numbers_are_left_alone():
    state = torch.get_rng_state()
    batches("mixup")
    assert torch.equal(state, torch.get_rng_state())
