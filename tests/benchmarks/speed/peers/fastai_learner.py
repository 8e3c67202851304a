"""fastai as its documentation begins: vision_learner, and fit_one_cycle.

vision_learner freezes the body by itself and gives it fastai's head (two linear layers, BatchNorm, dropout). Frozen
BatchNorms stay trainable (`train_bn=True`), so the backward pass goes through the whole body. `resnet18` with its
default weights is what torchvision finds below TORCH_HOME: the file that all tools start from.
"""

import time

from fastai.callback.core import Callback
from fastai.vision.all import (
    Flip,
    ImageDataLoaders,
    L,
    RandomResizedCrop,
    Resize,
    accuracy,
    params,
    resnet18,
    set_seed,
    vision_learner,
)
from job import main


class ImagesSeen(Callback):
    """How many images were trained on."""

    def before_fit(self):
        self.count = 0

    def after_train(self):
        self.count += len(self.dls.train) * self.dls.train.bs


def train(job):
    if job.backbone != "torchvision/resnet18":
        raise NotImplementedError("only ResNet-18, whose weights fastai opens by itself")
    set_seed(job.seed)
    varied = job.augment == "light"
    dls = ImageDataLoaders.from_folder(
        job.data,
        train="train",
        valid="val",
        item_tfms=RandomResizedCrop(job.image_size, min_scale=0.7) if varied else Resize(job.image_size),
        batch_tfms=Flip() if varied else None,
        bs=job.batch_size,
        device="cpu",
    )
    learn = vision_learner(dls, resnet18, metrics=accuracy, lr=job.lr, splitter=splitter(job))
    if job.work == "partial":
        learn.freeze_to(-2)
    if job.work == "full":
        learn.unfreeze()
    started = time.perf_counter()
    with learn.added_cbs(ImagesSeen()):
        learn.fit_one_cycle(job.epochs)
        seen = learn.images_seen.count
    seconds = time.perf_counter() - started
    accuracies = [float(row[2]) for row in learn.recorder.values]
    return {"fit_seconds": seconds, "images_seen": seen, "accuracies": accuracies}


def splitter(job):
    """fastai's own groups hold two stages each; to train the last one, it has to be a group."""
    if job.work == "partial":
        return lambda model: L(model[0][:-1], model[0][-1:], model[1:]).map(params)
    return None


if __name__ == "__main__":
    main(train, "fastai")
