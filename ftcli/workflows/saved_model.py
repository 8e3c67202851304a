"""A model as a run left it, ready to look at images: nothing but its own file is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from ftcli.engine.build import build_network, with_group_norm
from ftcli.engine.images import center_crop, normalise, prepare
from ftcli.engine.network import Network
from ftcli.engine.placement import find_machine, place, place_images
from ftcli.engine.run_folder import RunFolder
from ftcli.engine.weights_file import ModelCard, load_model
from ftcli.errors import MachineError, ModelError
from ftcli.registry import kinds


@dataclass(frozen=True)
class SavedModel:
    card: ModelCard
    network: Network
    device: str

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """uint8 images (B, 3, S, S) -> logits (B, C) in fp32."""
        images = place_images(images_BCHW, self.device)
        logits: Tensor = self.network.model(normalise(images, self.card.preprocessing))
        return logits.float()

    @torch.inference_mode()
    def probabilities(self, images: Sequence[Image]) -> Tensor:
        """PIL images -> (B, C), preprocessed as in training."""
        size = self.card.preprocessing.image_size
        prepared = [center_crop(prepare(image, self.card.preprocessing), size) for image in images]
        return self.forward(torch.stack(prepared)).softmax(dim=1).cpu()


def load_saved(run: Path) -> SavedModel:
    """The best model of a run folder, or of a .safetensors file that ftcli wrote; in eval mode."""
    path = RunFolder(run).best if run.is_dir() else run
    if not path.exists():
        what = (
            "the run has no best.safetensors yet"
            if run.is_dir()
            else "there is no such run folder or model file"
        )
        raise MachineError(what, where=str(run), remedy="give the folder that `ftcli train` named at its end")
    state, card = load_model(path)
    head: Any = kinds("head")[card.head["kind"]].model_validate(card.head)
    network = build_network(
        card.backbone,
        "none",
        head,
        len(card.classes),
        image_size=card.preprocessing.image_size,
        seed=0,
        pretrained=False,
    )
    network = with_group_norm(network) if card.group_norm else network
    _load_state(network, state, path)
    device = find_machine("auto").device
    place(network.model, device).eval()
    return SavedModel(card, network, device)


def _load_state(network: Network, state: dict[str, Tensor], path: Path) -> None:
    try:
        network.model.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(
            f"the weights do not fit this version's {network.backbone}: {error}",
            where=str(path),
            remedy="install the versions that environment.json names",
        ) from error
