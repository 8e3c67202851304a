"""The four facts of any PyTorch model: through its wrappers, and without a trace."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn, optim
from torchvision import models

from ftcli.engine.live_facts import live_facts
from ftcli.errors import ModelError


class Wrapper(nn.Module):
    """As scripts and trainers hold a network."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.model = inner


class WithHead(nn.Module):
    """A backbone without its classifier, and a head beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = models.resnet18()
        self.backbone.fc = nn.Identity()
        self.head = nn.Linear(512, 5)


RESNET = ("stem", "layer1", "layer2", "layer3", "layer4", "head")


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")  # torch 2.11 on compile
@pytest.mark.parametrize(
    ("wrap", "prefix"),
    [
        (lambda model: model, ""),
        (Wrapper, "model."),
        (lambda model: Wrapper(Wrapper(model)), "model.model."),
        (nn.DataParallel, ""),
        (lambda model: torch.compile(model), ""),
    ],
    ids=["bare", "wrapped", "twice", "parallel", "compiled"],
)
def test_a_network_is_known_through_its_wrappers(wrap, prefix: str) -> None:  # type: ignore[no-untyped-def]
    model = models.resnet18(num_classes=5)
    facts = live_facts(wrap(model), (optim.SGD(model.parameters(), lr=0.1),))
    assert facts.stages == RESNET
    assert {p.name for p in facts.parameters} == {prefix + name for name, _ in model.named_parameters()}
    assert all(p.groups == (0,) and p.lr == 0.1 for p in facts.parameters)
    assert not facts.strangers


def test_a_head_beside_the_backbone() -> None:
    facts = live_facts(WithHead(), ())
    assert facts.stages == RESNET
    assert [p.name for p in facts.head] == ["head.weight", "head.bias"]
    assert facts.head_outputs == 5


@pytest.mark.parametrize(
    "head", [nn.Linear(512, 3), nn.Sequential(nn.Linear(512, 8), nn.ReLU(), nn.Linear(8, 3))]
)
def test_a_replaced_head_is_the_head(head: nn.Module) -> None:
    model = models.resnet18()
    model.fc = head
    facts = live_facts(model, ())
    assert {p.name for p in facts.head} == {f"fc.{name}" for name, _ in head.named_parameters()}
    assert facts.head_outputs == 3


@pytest.mark.parametrize("name", ["test_vit", "test_efficientnet", "test_convnext"])
def test_timm_declares_its_depth(name: str) -> None:
    facts = live_facts(timm.create_model(f"{name}.r160_in1k", num_classes=4), ())
    assert (facts.stages[0], facts.stages[-1], facts.head_outputs) == ("stem", "head", 4)
    assert len(facts.stages) > 3


@pytest.mark.parametrize(
    "model",
    [
        nn.Linear(3, 2),
        nn.Sequential(nn.Linear(3, 2)),
        nn.ParameterList([nn.Parameter(torch.zeros(3))]),
        nn.LSTM(3, 4),
        nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), 3),
        nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Embedding(3, 2)}),
        nn.Identity(),
        nn.BatchNorm1d(3),
        nn.Bilinear(2, 3, 4),
    ],
    ids=lambda model: type(model).__name__,
)
def test_no_model_is_refused(model: nn.Module) -> None:
    facts = live_facts(model, ())
    assert {p.name for p in facts.parameters} == {name for name, _ in model.named_parameters()}


def test_a_lazy_layer_has_nothing_to_tell_yet() -> None:
    with pytest.raises(ModelError, match="no shape yet"):
        live_facts(nn.Sequential(nn.LazyLinear(3)), ())


def test_it_leaves_no_trace() -> None:
    """A train() of the user's own may do anything to modes and to what trains; it is put back."""

    class Stubborn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.fc = nn.BatchNorm1d(3), nn.Linear(3, 2)
            self.norm.eval()

        def train(self, mode: bool = True) -> nn.Module:
            super().train(mode)
            self.norm.eval()
            self.fc.weight.requires_grad_(False)
            return self

    model = Stubborn()
    modes = [module.training for module in model.modules()]
    facts = live_facts(model, ())
    assert [module.training for module in model.modules()] == modes
    assert model.fc.weight.requires_grad
    (norm,) = facts.batch_norms
    assert (norm.updates_stats, norm.train_call_resets) == (False, False)


def test_a_tied_tensor_stands_once_with_all_its_names() -> None:
    model = nn.ModuleDict(
        {"embed": nn.Embedding(7, 4), "mix": nn.Linear(4, 4), "score": nn.Linear(4, 7, bias=False)}
    )
    model["score"].weight = model["embed"].weight
    facts = live_facts(model, (optim.SGD(model.parameters(), lr=0.1),))
    (tied,) = [p for p in facts.parameters if p.other_names]
    assert (tied.name, tied.other_names, tied.groups) == ("embed.weight", ("score.weight",), (0,))


def test_statistics_that_are_not_tracked_cannot_drift() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False), nn.Conv2d(4, 2, 1)
    )
    (norm,) = live_facts(model, ()).batch_norms
    assert not norm.updates_stats


def test_what_a_trainer_wraps_around_an_optimizer_will_do() -> None:
    class Wrapped:
        def __init__(self, optimizer: optim.Optimizer) -> None:
            self.optimizer = optimizer

        @property
        def param_groups(self):  # type: ignore[no-untyped-def]
            return self.optimizer.param_groups

    model = nn.Linear(3, 2)
    facts = live_facts(model, (Wrapped(optim.AdamW(model.parameters(), lr=torch.tensor(0.5))),))
    assert {(p.lr, p.weight_decay) for p in facts.parameters} == {(0.5, 0.01)}
