"""timm's train.py, reduced to what one device needs: its loaders, its loop, its defaults.

`--freeze`-style scripts set requires_grad and call model.train() at each epoch, as this one does: a frozen BatchNorm
then works on the statistics of the batch, and its running statistics move.

Defaults of train.py that are kept: 4 workers, prefetched and persistent; fp32; contiguous memory. The tuned row
(`channels_last`, `precision: bf16`, workers as there are cores) is what `--channels-last --amp --amp-dtype bfloat16`
and `-j` ask for.
"""

from __future__ import annotations

import time
from contextlib import nullcontext

import timm
import torch
from job import main
from timm.data import create_dataset, create_loader, resolve_data_config
from timm.utils import AverageMeter, accuracy
from torch import nn

NAMES = {
    "torchvision/resnet18": "resnet18.tv_in1k",
    "timm/tf_efficientnet_lite0": "tf_efficientnet_lite0.in1k",
}
"""The first has the layers and tensor names of torchvision's, and its preprocessing."""
LAST_STAGE = {
    "torchvision/resnet18": ("layer4.",),
    "timm/tf_efficientnet_lite0": ("blocks.6.", "conv_head", "bn2"),
}
LIGHT = {"scale": (0.7, 1.0), "hflip": 0.5, "color_jitter": 0.0}


def train(job):
    torch.manual_seed(job.seed)
    classes = len(create_dataset("", root=job.data, split="train").reader.class_to_idx)
    weights = {"file": job.weights}
    model = timm.create_model(
        NAMES[job.backbone], pretrained=True, pretrained_cfg_overlay=weights, num_classes=classes
    )
    freeze(model, job)
    if job.channels_last:
        model = model.to(memory_format=torch.channels_last)
    loaders = loader(job, model, "train"), loader(job, model, "val")
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=job.lr, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, job.epochs)

    seen, accuracies, training = 0, [], 0.0
    started = time.perf_counter()
    for _ in range(job.epochs):
        count, steps = train_one_epoch(model, loaders[0], optimizer, job)
        seen, training = seen + count, training + steps
        accuracies.append(validate(model, loaders[1], job))
        schedule.step()
    seconds = time.perf_counter() - started
    return {
        "fit_seconds": seconds,
        "train_seconds": training,
        "images_seen": seen,
        "accuracies": accuracies,
    }


def freeze(model, job):
    if job.work == "full":
        return
    model.requires_grad_(False)
    model.get_classifier().requires_grad_(True)
    for name, parameter in model.named_parameters():
        if job.work == "partial" and name.startswith(LAST_STAGE[job.backbone]):
            parameter.requires_grad_(True)


def loader(job, model, split):
    config = resolve_data_config({"input_size": (3, job.image_size, job.image_size)}, model=model)
    varied = LIGHT if job.augment == "light" else {}
    return create_loader(
        create_dataset("", root=job.data, split=split),
        config["input_size"],
        job.batch_size,
        is_training=split == "train",
        no_aug=job.augment == "none",
        interpolation=config["interpolation"],
        mean=config["mean"],
        std=config["std"],
        crop_pct=config["crop_pct"],
        num_workers=4 if job.workers is None else job.workers,
        device=torch.device("cpu"),
        **varied,
    )


def autocast(job):
    return torch.autocast("cpu", torch.bfloat16) if job.precision == "bf16" else nullcontext()


def train_one_epoch(model, batches, optimizer, job):
    """How many images, and the seconds of the steps alone: waiting for a batch does not count."""
    model.train()
    losses, steps, criterion = AverageMeter(), AverageMeter(), nn.CrossEntropyLoss()
    for images, labels in batches:
        begun = time.perf_counter()
        if job.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        with autocast(job):
            loss = criterion(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.update(loss.item(), images.size(0))
        steps.update(time.perf_counter() - begun)
    return losses.count, steps.sum


@torch.no_grad()
def validate(model, batches, job):
    model.eval()
    top1 = AverageMeter()
    for images, labels in batches:
        if job.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        with autocast(job):
            logits = model(images)
        top1.update(accuracy(logits.float(), labels)[0].item(), labels.size(0))
    return top1.avg / 100


if __name__ == "__main__":
    main(train, "timm")
