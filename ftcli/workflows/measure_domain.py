"""The story of a domain distance: which network measures, on which images, on which scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import torch
from torch import Tensor

from ftcli.engine.domain_distance import has_statistics, layer_distances
from ftcli.engine.images import ImageStore, center_crop
from ftcli.engine.network import Network
from ftcli.engine.placement import find_machine, place
from ftcli.engine.reference_images import batches_of, noise, photographs
from ftcli.errors import DataError, ModelError
from ftcli.events import Listener, Working
from ftcli.findings import Finding
from ftcli.planner.domain_scale import ANCHORS, LEAST_RANGE
from ftcli.plans.data_splits import TRAIN, DataSplits
from ftcli.plans.domain_distance import Anchors, DomainDistance, LayerDistance, mean_divergence
from ftcli.recipe.load import recipe_from
from ftcli.workflows.init import default_backbone
from ftcli.workflows.open_network import open_network

NUM_IMAGES = 256
"""From all over the training images: with 64 the distance of photographs or digits was the same to 0.02."""
_BATCH = 16
_GIVE = "give the distance: --domain close, far, or a number from 0 to 1"


def measure_domain(splits: DataSplits, backbone: str, tell: Listener) -> DomainDistance:
    """Of the training images from what `backbone` was pretrained on.

    A backbone without BatchNorm, or whose weights are not to be had, leaves it to the default backbone: both were
    pretrained on photographs. Raises ModelError where that cannot measure either.
    """
    network, findings = _instrument(backbone)
    device = find_machine("auto").device
    place(network.model, device)
    anchors = ANCHORS.get(network.backbone) or _anchors(network, device, tell)
    images = _images(splits, network)
    layers = _measured(network, images, device, tell, "measuring the domain")
    return DomainDistance(network.backbone, len(images), layers, anchors, findings)


def _instrument(backbone: str) -> tuple[Network, tuple[Finding, ...]]:
    """The network that measures; why it is another one, and that there are no weights to train from."""
    findings = []
    try:
        network = pretrained(backbone)
        if has_statistics(network):
            return network, ()
        why = f"{backbone} has no BatchNorm statistics to measure by"
    except ModelError as error:
        why = error.what
        remedy = error.remedy or "train with a backbone whose weights are here: --backbone"
        findings.append(Finding("warning", "model.weights", f"{backbone}: {why}", remedy, "weights-not-here"))
    other = default_backbone()[0]
    if other == backbone:
        raise ModelError(f"cannot measure the domain: {why}", remedy=_GIVE)
    stand_in = Finding(
        "info",
        "--domain",
        f"{other} measured the distance: {why}",
        "both learned from photographs; to tell it yourself: --domain",
        "domain-measured-by-another",
    )
    try:
        return pretrained(other), (*findings, stand_in)
    except ModelError as error:
        what = f"cannot measure the domain: {why}; and {other} cannot stand in: {error.what}"
        raise ModelError(what, remedy=_GIVE) from error


def pretrained(backbone: str) -> Network:
    """Raises ModelError where its weights are not to be had."""
    recipe = recipe_from({"data": "digits", "model": {"backbone": backbone}, "strategy": "full"})
    return open_network(recipe, 2)


def _images(splits: DataSplits, network: Network) -> list[Tensor]:
    """uint8 (3, S, S); what cannot be read is the audit's to tell."""
    store = ImageStore(splits, network.images, 0)
    images = []
    for index in spread(splits.streams[TRAIN], NUM_IMAGES):
        with suppress(DataError):
            images.append(center_crop(store[index], network.images.image_size))
    if not images:
        raise DataError("no image can be read", where=splits.source, remedy="see ftcli audit")
    return images


def spread(stream: Sequence[int], most: int) -> list[int]:
    """At most so many, at even distances: streams may be sorted by class."""
    count = min(len(stream), most)
    return [stream[number * len(stream) // count] for number in range(count)]


def _anchors(network: Network, device: str, tell: Listener) -> Anchors:
    """Both ends of the scale, for a network that has none on record. Raises ModelError where they do not differ."""
    ends = []
    for what, images in (("photographs", photographs()), ("noise", noise())):
        cut = torch.cat(list(batches_of(images, network.images)))
        ends.append(mean_divergence(_measured(network, list(cut), device, tell, f"calibrating by {what}")))
    if ends[1] < LEAST_RANGE * ends[0]:
        what = f"{network.backbone} does not tell photographs ({ends[0]:.3g}) from noise ({ends[1]:.3g})"
        raise ModelError(f"cannot measure the domain: {what}", remedy=_GIVE)
    return Anchors(*ends)


def _measured(
    network: Network, images: Sequence[Tensor], device: str, tell: Listener, what: str
) -> tuple[LayerDistance, ...]:
    def batches() -> Iterator[Tensor]:
        for start in range(0, len(images), _BATCH):
            tell(Working(what, start, len(images)))
            yield torch.stack(list(images[start : start + _BATCH])).to(device)

    found = layer_distances(network, batches())
    tell(Working(what, len(images), len(images)))
    return found
