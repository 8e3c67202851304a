"""The bugs that practice met elsewhere, built in plain PyTorch: each does its harm, and the inspector finds it.

The reports are those of Lightning, transformers, ultralytics, luxonis-train and lightning-flash, by number.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn, optim
from torchvision.models import resnet18

import ftcli


def network(num_classes: int = 5) -> nn.Module:
    torch.manual_seed(0)
    model = resnet18(num_classes=num_classes)
    return model.train()


def freeze(module: nn.Module) -> None:
    for parameter in module.parameters():
        parameter.requires_grad = False


def freeze_backbone(model: nn.Module) -> None:
    freeze(model)
    for parameter in model.fc.parameters():
        parameter.requires_grad = True


def step(model: nn.Module, optimizer: optim.Optimizer) -> None:
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    optimizer.zero_grad()
    model(images).square().mean().backward()
    optimizer.step()


def moved(model: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


def copied(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def rules(model: nn.Module, *optimizers: optim.Optimizer, severity: str | None = None) -> set[str]:
    findings = ftcli.inspect_freeze(model, optimizers).findings
    return {finding.rule for finding in findings if severity in (None, finding.severity)}


def test_a_sound_script_is_clean() -> None:
    model = network()
    freeze_backbone(model)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
            module.train = lambda mode=True, module=module: module
    optimizer = optim.AdamW(model.fc.parameters(), lr=1e-3)
    ftcli.inspect_freeze(model, optimizer).assert_clean()
    before = copied(model.train())
    step(model, optimizer)
    assert moved(model, before) == {"fc.weight", "fc.bias"}


def test_frozen_batch_norm_drifts() -> None:
    """Lightning 15062, transformers 24479, ultralytics 9391: "freeze has no effect"."""
    model = network()
    freeze_backbone(model)
    optimizer = optim.AdamW(model.fc.parameters(), lr=1e-3)
    assert rules(model, optimizer, severity="error") == {"frozen-bn-drifts"}
    before = copied(model)
    step(model, optimizer)
    assert "layer4.1.bn2.running_mean" in moved(model, before)


def test_eval_mode_that_the_next_train_call_undoes() -> None:
    """BatchNorm is put into eval mode once, where it is frozen; the loop calls model.train() in every epoch."""
    model = network()
    freeze_backbone(model)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    optimizer = optim.AdamW(model.fc.parameters(), lr=1e-3)
    assert rules(model, optimizer) >= {"frozen-bn-will-drift"}
    assert "frozen-bn-drifts" not in rules(model, optimizer)
    model.train()
    assert rules(model, optimizer) >= {"frozen-bn-drifts"}


def test_a_model_in_eval_mode_is_told_what_the_next_epoch_does() -> None:
    """Inspected after validation, before the next epoch."""
    model = network()
    freeze_backbone(model)
    found = rules(model.eval(), optim.AdamW(model.fc.parameters(), lr=1e-3))
    assert "frozen-bn-will-drift" in found
    assert "frozen-bn-drifts" not in found
    assert not any(module.training for module in model.modules()), "the inspector leaves no trace"


def test_affine_parameters_train_in_a_frozen_stage() -> None:
    model = network()
    freeze_backbone(model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad |= "bn" in name
    optimizer = optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-4)
    assert rules(model, optimizer) >= {"affine-in-frozen-stage", "frozen-bn-drifts"}
    before = copied(model)
    step(model, optimizer)
    assert "layer1.0.bn1.weight" in moved(model, before)


def test_unfrozen_but_never_given_to_the_optimizer() -> None:
    """luxonis-train 358: the optimizer was built while the backbone was frozen."""
    model = network()
    freeze_backbone(model)
    optimizer = optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-3)
    for parameter in model.layer4.parameters():
        parameter.requires_grad = True
    assert rules(model, optimizer, severity="error") >= {"not-in-optimizer"}
    before = copied(model)
    step(model, optimizer)
    assert "layer4.0.conv1.weight" not in moved(model, before)


def test_frozen_parameters_stay_in_the_optimizer() -> None:
    """transformers 21182; and Lightning 21901, where a resumed run freezes again what had been unfrozen."""
    model = network()
    optimizer = optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.1)
    step(model, optimizer)
    freeze(model.layer1)
    assert rules(model, optimizer, severity="error") >= {"frozen-in-optimizer"}, "a gradient is left over"
    before = copied(model)
    optimizer.step()
    assert "layer1.0.conv1.weight" in moved(model, before)
    optimizer.zero_grad()
    assert "frozen-in-optimizer" in rules(model, optimizer, severity="warning")


def test_unfrozen_into_the_group_of_the_head() -> None:
    """lightning-flash: the backbone joins the only group there is, at the head's LR."""
    model = network()
    freeze_backbone(model)
    optimizer = optim.Adam(model.fc.parameters(), lr=1e-3)
    for parameter in model.layer4.parameters():
        parameter.requires_grad = True
        optimizer.param_groups[0]["params"].append(parameter)
    findings = ftcli.inspect_freeze(model, optimizer).findings
    (found,) = [finding for finding in findings if finding.rule == "backbone-at-head-lr"]
    assert found.where == "layer4"


def test_one_stage_at_the_heads_rate_beside_slower_ones() -> None:
    model = network()
    slow = [{"params": list(getattr(model, f"layer{n}").parameters()), "lr": 1e-6} for n in (1, 2, 3)]
    fast = [{"params": [*model.conv1.parameters(), *model.bn1.parameters()], "lr": 1e-6}]
    head = [{"params": [*model.layer4.parameters(), *model.fc.parameters()], "lr": 1e-5}]
    (found,) = [
        finding
        for finding in ftcli.inspect_freeze(model, optim.AdamW([*slow, *fast, *head])).findings
        if finding.rule == "backbone-at-head-lr"
    ]
    assert found.where == "layer4"


class Detector(nn.Module):
    """As ultralytics lays its models out: `model.0` to `model.22`, the last one the head."""

    def __init__(self) -> None:
        super().__init__()
        blocks = [nn.Sequential(nn.Conv2d(3 if n == 0 else 4, 4, 1), nn.ReLU()) for n in range(22)]
        self.model = nn.Sequential(*blocks, nn.Conv2d(4, 2, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model(images).mean((2, 3))


@pytest.mark.parametrize(
    ("names", "frozen"),
    [
        (["model.1"], "1, 10, 11 and 8 more"),
        (["model.10."], "10"),
        ([f"model.{n}." for n in range(10)], None),
    ],
    ids=["prefix without its dot", "the tenth layer alone", "the first ten"],
)
def test_freeze_ten(names: list[str], frozen: str | None) -> None:
    """ultralytics 13770: is freeze=10 one layer or ten? And a prefix of one name is that of eleven."""
    model = Detector()
    for name, parameter in model.named_parameters():
        parameter.requires_grad = not any(part in name for part in names)
    optimizer = optim.SGD((p for p in model.parameters() if p.requires_grad), lr=1e-3)
    found = [f for f in ftcli.inspect_freeze(model, optimizer).findings if f.rule == "frozen-above-trained"]
    assert bool(found) == (frozen is not None)
    if frozen:
        assert f"{frozen} frozen above" in found[0].message.replace("model.", "")


def test_the_optimizer_was_built_before_the_head_was_replaced() -> None:
    model = network(1000)
    optimizer = optim.AdamW(model.parameters(), lr=1e-4)
    assert "head-still-pretrained" in rules(model, optimizer)
    model.fc = nn.Linear(512, 5)
    assert rules(model, optimizer, severity="error") == {"not-in-model", "not-in-optimizer"}
    before = copied(model)
    step(model, optimizer)
    assert not {"fc.weight", "fc.bias"} & moved(model, before)


def test_the_head_was_frozen_with_the_rest() -> None:
    model = network()
    optimizer = optim.AdamW(model.parameters(), lr=1e-5)
    freeze(model)
    assert "nothing-trains" in rules(model, optimizer, severity="error")
    assert "nothing-trains" in rules(model, severity="info"), "a model in use"
    for parameter in model.layer4.parameters():
        parameter.requires_grad = True
    assert "head-frozen" in rules(model)


def test_steps_that_bfloat16_cannot_hold() -> None:
    model = network().to(torch.bfloat16)
    optimizer = optim.AdamW(model.parameters(), lr=1e-6, weight_decay=0)
    assert "lr-too-small-for-dtype" in rules(model, optimizer, severity="error")
    weight = model.layer4[0].conv1.weight
    before = weight.detach().clone()
    model(torch.randn(4, 3, 32, 32, dtype=torch.bfloat16)).square().mean().backward()
    optimizer.step()
    assert (weight == before).float().mean() > 0.9
    assert "lr-too-small-for-dtype" not in rules(network(), optim.AdamW(network().parameters(), lr=1e-6))


def test_in_two_groups() -> None:
    """torch refuses it in one optimizer as it is built; two optimizers, or a list that was appended to, it does not."""
    model = network()
    both = optim.SGD(model.parameters(), lr=1e-4), optim.SGD(model.fc.parameters(), lr=1e-4)
    (found,) = [f for f in ftcli.inspect_freeze(model, both).findings if f.rule == "in-two-groups"]
    assert (found.severity, found.where) == ("warning", "head"), "they may take turns"
    both[0].param_groups.append({**both[0].param_groups[0], "params": list(model.fc.parameters())})
    assert "in-two-groups" in rules(model, both[0], severity="error")


def test_tied_weights_treated_apart() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    model[2].weight = nn.Parameter(model[0].weight.data, requires_grad=True)
    model[0].weight.requires_grad = False
    optimizer = optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.001)
    assert "tied-apart" in rules(model, optimizer, severity="error")
    before = model[0].weight.clone()
    model(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()
    assert not torch.equal(model[0].weight, before), "frozen, and moved all the same"


def test_dropout_in_a_frozen_part() -> None:
    model = nn.Sequential(
        nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)), nn.Sequential(nn.Linear(4, 4)), nn.Linear(4, 2)
    )
    freeze(model[0])
    optimizer = optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.001)
    assert "dropout-in-frozen-stage" in rules(model, optimizer)
    model[0].eval()
    assert "dropout-in-frozen-stage" not in rules(model, optimizer)


def test_an_lr_of_zero_unless_it_is_the_beginning_of_a_warm_up() -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    assert "lr-zero" in rules(model, optimizer, severity="error")
    optimizer = optim.SGD(model.parameters(), lr=1e-3)
    optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: epoch / 10)
    assert optimizer.param_groups[0]["lr"] == 0
    assert "lr-zero" in rules(model, optimizer, severity="info")


def test_a_stage_above_the_head() -> None:
    model = network()
    groups = [
        {"params": list(model.layer4.parameters()), "lr": 1e-2},
        {"params": list(model.fc.parameters()), "lr": 1e-3},
    ]
    assert "lr-above-head" in rules(model, optim.SGD(groups))


def test_weight_decay_on_norms_and_biases_is_told_quietly() -> None:
    model = network()
    assert "decay-on-norms-or-biases" in rules(
        model, optim.AdamW(model.parameters(), lr=1e-5), severity="info"
    )
    assert "decay-on-norms-or-biases" not in rules(
        model, optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0)
    )


class LowRank(nn.Module):
    """A frozen linear layer and a small trainable detour, as LoRA lays them."""

    def __init__(self, layer: nn.Linear, rank: int = 2) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.down = nn.Linear(layer.in_features, rank, bias=False)
        self.up = nn.Linear(rank, layer.out_features, bias=False)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.layer(values) + self.up(self.down(values))


def vision_transformer(num_classes: int = 5) -> nn.Module:
    import timm

    return timm.create_model("vit_tiny_patch16_224", num_classes=num_classes)


def clean_but_for(model: nn.Module, *optimizers: optim.Optimizer) -> set[str]:
    """Rules of the findings for which `assert_clean` would fail."""
    report = ftcli.inspect_freeze(model, optimizers)
    return {finding.rule for finding in report.findings if finding.severity != "info"}


def test_low_rank_adapters_in_every_second_block_are_no_alarm() -> None:
    model = vision_transformer()
    freeze(model)
    model.head.requires_grad_(True)
    for number, block in enumerate(model.blocks):
        if number % 2 == 0:
            block.mlp.fc1 = LowRank(block.mlp.fc1)
    trained = [p for p in model.parameters() if p.requires_grad]
    assert clean_but_for(model, optim.AdamW(trained, lr=1e-3)) == set()


@pytest.mark.parametrize("part", ["bias", "norm"])
def test_tuning_biases_or_norms_alone_is_no_alarm(part: str) -> None:
    model = vision_transformer()
    for name, parameter in model.named_parameters():
        parameter.requires_grad = part in name or name.startswith("head")
    trained = [p for p in model.parameters() if p.requires_grad]
    assert clean_but_for(model, optim.AdamW(trained, lr=1e-3)) == set()


def test_an_adapter_does_not_hide_the_drift_of_its_layer() -> None:
    model = network()
    freeze_backbone(model)
    model.layer1[0].adapter = nn.Conv2d(64, 2, 1)
    trained = [p for p in model.parameters() if p.requires_grad]
    (found,) = [
        f
        for f in ftcli.inspect_freeze(model, optim.AdamW(trained, lr=1e-3)).findings
        if f.severity == "error"
    ]
    assert (found.rule, "20 BatchNorm layers" in found.message) == ("frozen-bn-drifts", True)


def test_from_scratch_a_fast_rate_is_no_alarm() -> None:
    model = network()
    assert clean_but_for(model, optim.AdamW(model.parameters(), lr=1e-3)) == set()


def test_a_teacher_beside_the_student_is_no_alarm() -> None:
    model = nn.ModuleDict({"student": network(), "teacher": network().eval()})
    freeze(model["teacher"])
    model["teacher"].train = lambda mode=True: model["teacher"]  # stays as it is
    assert clean_but_for(model, optim.AdamW(model["student"].parameters(), lr=1e-4)) == set()


def test_the_turns_of_a_gan_are_no_error() -> None:
    def made(last: int) -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, last))

    model = nn.ModuleDict({"generator": made(4), "discriminator": made(1)})
    optimizers = [
        optim.Adam(model["generator"].parameters(), lr=1e-4),
        optim.Adam(model["discriminator"].parameters(), lr=4e-4),
    ]
    assert clean_but_for(model, *optimizers) == set()
    freeze(model["discriminator"])
    assert clean_but_for(model, *optimizers) == {"frozen-in-optimizer"}


def test_a_frozen_embedding_is_the_frozen_output_layer() -> None:
    class Language(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(50, 8)
            self.blocks = nn.ModuleList(
                [nn.TransformerEncoderLayer(8, 2, batch_first=True) for _ in range(2)]
            )
            self.output = nn.Linear(8, 50, bias=False)
            self.output.weight = self.embed.weight

    model = Language()
    model.embed.requires_grad_(False)
    optimizer = optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-4)
    (found,) = [f for f in ftcli.inspect_freeze(model, optimizer).findings if f.rule == "head-frozen"]
    assert (found.severity, "embed.weight" in found.message) == ("warning", True)
