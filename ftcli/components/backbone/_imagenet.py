"""What ImageNet's classes are called: by WordNet, as their folders are named, and by people.

timm knows them. It is imported where they are asked for: it takes a quarter of a second.
"""

from __future__ import annotations

from collections.abc import Sequence

IMAGENET_1K = 1000
"""Classes; no other dataset that backbones are published for has as many."""


def of_imagenet(num_classes: int) -> tuple[str, ...]:
    """Of the subset with so many classes, "n02123045, tabby, tabby cat"; empty where there is none."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset({"num_classes": num_classes})
    if subset is None:
        return ()
    info = ImageNetInfo(subset)
    return tuple(f"{info.index_to_label_name(i)}, {info.index_to_description(i)}" for i in range(num_classes))


def with_synsets(names: Sequence[str]) -> tuple[str, ...]:
    """The same names, with those of their folders where they are the 1,000 of ImageNet."""
    if len(names) != IMAGENET_1K:
        return tuple(names)
    from timm.data import ImageNetInfo

    folders = ImageNetInfo("imagenet-1k").label_names()
    return tuple(f"{folder}, {name}" for folder, name in zip(folders, names, strict=True))
