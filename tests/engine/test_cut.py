"""A network cut in two: the parts together are the whole, in logits and in gradients."""

import pytest
import torch
from torch import nn

from ftcli.components.head import Linear
from ftcli.engine.build import build_network
from ftcli.engine.cut import Cut, cut_at, highest_cut, proved
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.frozen_calls import evaluating
from ftcli.engine.network import Network
from ftcli.engine.recording import record
from ftcli.plans.layer_map import Layer, LayerMap, Parameter
from ftcli.plans.preprocessing import Preprocessing
from tests.cuts import boundaries, forward_of, freeze_below, gradients, some_images

HF_VIT = {
    "model_type": "vit",
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 8,
    "hidden_dropout_prob": 0.1,
}
BACKBONES = {
    "torchvision/resnet18": 64,
    "torchvision/efficientnet_b0": 64,
    "torchvision/convnext_tiny": 32,
    "torchvision/swin_t": 32,
    "torchvision/densenet121": 32,
    "timm/test_efficientnet": 64,
    "timm/tf_efficientnet_lite0": 64,
    "timm/test_vit": 64,
    "timm/dla46_c": 64,
    "hf/vit": 32,
}
"""Some with dropout or drop-path above the cut, with activations in place, with several branches across it."""
SLOW = ("torchvision/swin_t", "torchvision/convnext_tiny", "torchvision/densenet121")
SAMPLE = [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in BACKBONES]


def opened(backbone, size=None):
    config = HF_VIT if backbone == "hf/vit" else None
    size = size or BACKBONES.get(backbone, 64)
    if config:
        pytest.importorskip("transformers")
    return build_network(backbone, "none", Linear(), 5, image_size=size, seed=0, config=config)


def state(network):
    """All that a cut must leave as it was."""
    modules = {name: (set(vars(module)), module.training) for name, module in network.model.named_modules()}
    hooks = {name: len(module._forward_pre_hooks) for name, module in network.model.named_modules()}
    flags = {name: p.requires_grad for name, p in network.model.named_parameters()}
    tensors = {name: tensor.clone() for name, tensor in network.model.state_dict().items()}
    return (modules, hooks, flags), tensors


def assert_same(before, after):
    assert before[0] == after[0]
    assert all(torch.equal(tensor, after[1][name]) for name, tensor in before[1].items())


@pytest.mark.parametrize("backbone", SAMPLE)
def test_the_parts_give_the_logits_of_the_whole_whatever_the_batch(backbone):
    network = opened(backbone)
    forward = forward_of(network)
    for boundary in boundaries(network):
        cut = highest_cut(network, forward, boundary, some_images(network))
        assert cut is not None
        assert cut.boundary == boundary, "no fall to a lower layer"
        enter_eval_mode(network)
        for count in (1, 5):
            images = some_images(network, count, seed=count)
            assert len(cut.prefix(images)) == count
            assert proved(cut, forward, images)


@pytest.mark.parametrize("backbone", SAMPLE)
def test_gradients_above_are_those_of_the_whole(backbone):
    network = opened(backbone)
    forward, images = forward_of(network), some_images(network)
    for boundary in boundaries(network)[1:]:
        cut = cut_at(network, forward, boundary)
        freeze_below(network, boundary)
        whole = gradients(network, forward, images)
        parts = gradients(network, cut.suffix, cut.prefix(images))
        above = {p.name for p in network.layer_map.parameters if p.layer >= boundary}
        assert whole.keys() == parts.keys() == above
        assert [name for name in above if not torch.equal(whole[name], parts[name])] == []


@pytest.mark.parametrize(
    "backbone",
    ["torchvision/resnet18", "timm/test_vit", pytest.param("torchvision/swin_t", marks=pytest.mark.slow)],
)
def test_autocast_keeps_the_dtypes(backbone):
    network = opened(backbone)
    forward, images = forward_of(network), some_images(network)
    boundary = boundaries(network)[1]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cut = cut_at(network, forward, boundary)
        freeze_below(network, boundary)
        whole = gradients(network, forward, images)
        parts = gradients(network, cut.suffix, cut.prefix(images))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_cut_that_was_proved_under_autocast_can_be_trained_under_it():
    """Autocast remembers the weights that it has cast: those of the proof have no gradients."""
    network = opened("timm/test_vit")
    forward, images = forward_of(network), some_images(network)
    boundary = boundaries(network)[1]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cut = highest_cut(network, forward, boundary, images)
        freeze_below(network, boundary)
        found = gradients(network, cut.suffix, cut.prefix(images))
    assert found.keys() == {p.name for p in network.layer_map.parameters if p.layer >= boundary}


def test_what_crosses_may_be_kept_in_any_layout():
    """A channels_last activation that was kept row by row comes back in channels_last."""
    network = opened("torchvision/resnet18")
    network.model.to(memory_format=torch.channels_last)
    images = some_images(network)

    def forward(images):
        return network.model(images.float().contiguous(memory_format=torch.channels_last))

    boundary = boundaries(network)[1]
    cut = cut_at(network, forward, boundary)
    enter_eval_mode(network)
    with torch.no_grad():
        kept, whole = cut.prefix(images), forward(images)
        assert not kept.is_contiguous()
        assert torch.equal(cut.suffix(kept.contiguous()), whole)


def test_rows_belong_to_images():
    """So that they can be kept for each and drawn into other batches."""
    network = opened("timm/dla46_c")
    forward, images = forward_of(network), some_images(network)
    cut = cut_at(network, forward, boundaries(network)[1])
    enter_eval_mode(network)
    with torch.no_grad():
        kept, whole = cut.prefix(images), forward(images)
        assert torch.allclose(cut.suffix(kept[[2, 0]]), whole[[2, 0]], atol=1e-5)


def test_nothing_is_left_behind():
    network = opened("torchvision/resnet18")
    freeze_below(network, 3)
    before = state(network)
    forward, images = forward_of(network), some_images(network)
    enough = highest_cut(network, forward, 5, images)
    assert_same(before, state(network))
    enter_eval_mode(network)
    before = state(network)
    enough.suffix(enough.prefix(images))
    assert_same(before, state(network))


def test_nothing_is_left_behind_when_it_fails_half_way():
    network = opened("torchvision/resnet18")
    forward, images = forward_of(network), some_images(network)
    cut = cut_at(network, forward, 5)
    enter_eval_mode(network)
    before = state(network)
    for broken in (lambda: cut.suffix(torch.zeros(2, 7)), lambda: cut.prefix(images[:, :2])):
        with pytest.raises(RuntimeError):
            broken()
        assert_same(before, state(network))

    def failing(images):
        forward(images)
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        cut_at(network, failing, 5)
    assert_same(before, state(network))


def test_a_forward_of_the_instance_is_put_back():
    network = opened("torchvision/resnet18")
    forward, images = forward_of(network), some_images(network)
    stem = network.model.conv1
    plain = stem.forward

    def doubled(x):
        return 2 * plain(x)

    stem.forward = doubled
    cut = highest_cut(network, forward, 5, images)
    assert stem.forward is doubled
    enter_eval_mode(network)
    assert proved(cut, forward, images)
    assert stem.forward is doubled


def test_the_prefix_ends_at_the_boundary_and_the_suffix_begins_there():
    network = opened("torchvision/resnet18")
    forward, images = forward_of(network), some_images(network)
    cut = cut_at(network, forward, 5)
    layers = []
    for name, module in network.model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            layer = network.module_layers[name]
            module.register_forward_pre_hook(lambda *_, layer=layer: layers.append(layer))
    enter_eval_mode(network)
    kept = cut.prefix(images)
    assert max(layers) == 4
    layers.clear()
    cut.suffix(kept)
    assert min(set(layers) - {0}) == 5
    assert layers.count(0) == 1, "conv1's hook is called, though not what it computes"


def test_the_suffix_owns_its_batch():
    """An activation in place right above the cut overwrites it; the next call gets a fresh one."""
    network = in_place()
    forward, images = forward_of(network), some_images(network)
    cut = cut_at(network, forward, 1)
    enter_eval_mode(network)
    kept = cut.prefix(images)
    stored = kept.clone()
    first = cut.suffix(kept)
    assert not torch.equal(kept, stored), "it was overwritten"
    assert torch.equal(cut.suffix(stored.clone()), first)
    assert torch.equal(first, forward(images))


def test_the_head_alone_leaves_its_batch_as_it_was():
    """A step that ran out of memory is made again from the same features, and a head may drop out in place."""
    network = build_network("timm/test_resnet", "none", Linear(dropout=0.5), 5, image_size=64, seed=0)
    network.model.fc[0].inplace = True
    boundary, images = boundaries(network)[0], some_images(network)
    with evaluating(network):
        cut = cut_at(network, forward_of(network), boundary)
        features = cut.prefix(images)
    freeze_below(network, boundary)
    before = features.clone()
    cut.suffix(features)
    assert torch.equal(features, before)


def test_an_inference_tensor_can_be_trained_on():
    network = opened("timm/test_vit")
    forward, images = forward_of(network), some_images(network)
    boundary = boundaries(network)[1]
    cut = cut_at(network, forward, boundary)
    freeze_below(network, boundary)
    with torch.inference_mode():
        kept = cut.prefix(images)
        assert not kept.is_inference()
        stored = kept.clone()
    assert stored.is_inference()
    assert gradients(network, cut.suffix, stored)


def test_heads_that_are_joined_in_their_own_way_are_cut_off_all_the_same():
    """VOLO adds half of the largest of its tokens' logits: the head alone is not the rest."""
    network = opened("timm/volo_d1_224", size=64)
    head = network.layer_map.layers[-1].index
    forward, images = forward_of(network), some_images(network, 2)
    assert highest_cut(network, forward, head, images).boundary == head


def test_below_the_first_layer_is_nothing():
    network = opened("timm/test_vit")
    assert cut_at(network, forward_of(network), 0) is None
    assert highest_cut(network, forward_of(network), 0, some_images(network)) is None


def test_what_follows_the_network_cannot_be_cut():
    network = opened("timm/test_vit")
    calls = []

    def forward(images):
        calls.append(len(images))
        return forward_of(network)(images) + 1

    head = network.layer_map.layers[-1].index
    assert highest_cut(network, forward, head, some_images(network)) is None
    assert len([count for count in calls if count == 4]) <= 12
    assert max(calls) == 4, "recordings take fewer images than the proof"


# Small networks with what real ones have in odd places.


class Toy(nn.Module):
    def __init__(self):
        super().__init__()
        self.low = nn.Conv2d(3, 4, 3, padding=1)
        self.act = nn.ReLU()
        self.high = nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        """The activation is registered below the cut and used on both of its sides."""
        x = self.act(self.low(x))
        return self.fc(self.act(self.high(x)).mean((2, 3)))


class InPlace(Toy):
    def forward(self, x):
        x = nn.functional.relu(self.low(x), inplace=True)
        return self.fc(self.high(x).mean((2, 3)))


class Twice(Toy):
    """A frozen module that is called again, on other values, with another shape."""

    def forward(self, x):
        coarse = self.low(x[:, :, ::2, ::2])
        fine = self.low(x)
        return self.fc(self.high(fine).mean((2, 3)) + self.high(coarse).mean((2, 3)))


class Shortcut(Toy):
    """The image itself crosses the boundary: there is nothing to keep for it."""

    def forward(self, x):
        return self.fc(self.high(self.low(x)).mean((2, 3)) + x.mean())


class Parted(nn.Conv2d):
    """Gives a dict of a tensor, a tuple and a size."""

    def forward(self, x):
        y = super().forward(x)
        return {"map": y, "more": (y.amax((2, 3)), None), "side": y.shape[-1]}


class Dicts(Toy):
    def __init__(self):
        super().__init__()
        self.low = Parted(3, 4, 3, padding=1)

    def forward(self, x):
        found = self.low(x)
        return self.fc(self.high(found["map"]).mean((2, 3)) / found["side"] + found["more"][0])


class Dropping(Toy):
    """A dropout of its own before the head, behind a pooling."""

    def __init__(self):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.fc(self.drop(self.pool(self.high(self.low(x))).flatten(1)))


class DroppingByCall(Dropping):
    def forward(self, x):
        pooled = self.pool(self.high(self.low(x))).flatten(1)
        return self.fc(nn.functional.dropout(pooled, 0.5, self.training))


class Interleaved(Toy):
    """What lies above touches what lies below: with it frozen, the lower module is no fixed function of the image."""

    def forward(self, x):
        gate = self.fc.weight.mean()
        return self.fc(self.high(self.low(x * gate)).mean((2, 3)))


def network_of(model):
    layers = (Layer(0, "low", "stem"), Layer(1, "high", "high"), Layer(2, "head", "head"))
    layer_of = {"low": 0, "act": 0, "high": 1, "fc": 2}
    layer_of |= {name: 2 for name in ("pool", "drop") if hasattr(model, name)}
    parameters = tuple(
        Parameter(
            name,
            tuple(p.shape),
            layer_of[name.partition(".")[0]],
            layers[layer_of[name.partition(".")[0]]].stage,
            False,
        )
        for name, p in model.named_parameters()
    )
    return Network(
        model,
        LayerMap("toy/toy", layers, parameters, (), ()),
        layer_of,
        ("fc",),
        PREPROCESSING,
        "toy/toy",
        "",
    )


PREPROCESSING = Preprocessing(8, 8, "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def in_place():
    torch.manual_seed(0)
    return network_of(InPlace())


@pytest.mark.parametrize("model", [Toy, InPlace, Twice, Dicts])
def test_odd_networks_are_cut(model):
    torch.manual_seed(0)
    network = network_of(model())
    forward, images = forward_of(network), some_images(network)
    cut = highest_cut(network, forward, 1, images)
    assert cut is not None
    freeze_below(network, 1)
    whole = gradients(network, forward, images)
    parts = gradients(network, cut.suffix, cut.prefix(images))
    assert whole.keys() == parts.keys() == {"high.weight", "high.bias", "fc.weight", "fc.bias"}
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.parametrize("model", [Shortcut, Interleaved])
def test_what_cannot_be_cut_is_not(model):
    torch.manual_seed(0)
    network = network_of(model())
    assert highest_cut(network, forward_of(network), 1, some_images(network)) is None


def test_a_wrong_cut_gives_no_number():
    """What nothing was kept for is NaN, not zero: nobody trains on it unawares."""
    torch.manual_seed(0)
    network = network_of(Shortcut())
    cut = cut_at(network, forward_of(network), 1)
    enter_eval_mode(network)
    assert cut.suffix(cut.prefix(some_images(network))).isnan().all()


def test_a_shared_activation_above_the_cut_is_computed_there():
    network = network_of(Toy())
    recording = record(network, forward_of(network), 1)
    assert [type(call.module).__name__ for call in recording.calls] == ["Conv2d", "ReLU"]
    assert [call.kept for call in recording.calls] == [[False], [True]]


@pytest.mark.parametrize("model", [Dropping, DroppingByCall])
def test_a_dropout_before_the_head_works_while_the_head_trains(model):
    """And the pooling before it does not have to be computed again."""
    torch.manual_seed(0)
    network = network_of(model())
    forward, images = forward_of(network), some_images(network)
    cut = highest_cut(network, forward, 2, images)
    freeze_below(network, 2)
    kept = cut.prefix(images)
    assert kept.shape == (4, 4, 1, 1)
    whole, parts = gradients(network, forward, images), gradients(network, cut.suffix, kept)
    assert torch.equal(whole["fc.weight"], parts["fc.weight"])
    network.model.eval()
    assert not torch.equal(whole["fc.weight"], gradients(network, forward, images)["fc.weight"])


def test_modes_come_back():
    network = opened("timm/test_efficientnet")
    freeze_below(network, 3)
    before = {name: module.training for name, module in network.model.named_modules()}
    with evaluating(network):
        assert not any(module.training for module in network.model.modules())
    assert before == {name: module.training for name, module in network.model.named_modules()}


def test_a_cut_is_a_value():
    network = opened("timm/test_vit")
    cut = cut_at(network, forward_of(network), 3)
    assert isinstance(cut, Cut)
    with pytest.raises(AttributeError):
        cut.boundary = 2
