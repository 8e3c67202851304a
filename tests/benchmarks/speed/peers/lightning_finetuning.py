"""Lightning as its documentation fine-tunes: a LightningModule with a backbone, and the callback BackboneFinetuning.

The callback freezes the backbone until epoch 10, its default, which is a probe of ten epochs. It leaves BatchNorm
trainable (`train_bn=True`). Trainer, logger, checkpoints and progress bar are at their defaults; the loaders have a
worker for each core, as Lightning advises.
"""

import os
import tempfile
import time

import lightning
import torch
from job import main
from lightning.pytorch.callbacks import BackboneFinetuning, BaseFinetuning
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder
from torchvision.models import resnet18
from torchvision.transforms.functional import InterpolationMode

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Classifier(lightning.LightningModule):
    def __init__(self, weights, classes, job):
        super().__init__()
        network = resnet18()
        network.load_state_dict(torch.load(weights))
        width = network.fc.in_features
        self.backbone = nn.Sequential(*list(network.children())[:-1], nn.Flatten())
        self.head = nn.Linear(width, classes)
        self.job = job
        self.seen, self.accuracies = 0, []

    def forward(self, images):
        return self.head(self.backbone(images))

    def training_step(self, batch, _):
        images, labels = batch
        loss = nn.functional.cross_entropy(self(images), labels)
        self.log("train_loss", loss)
        self.seen += len(labels)
        return loss

    def validation_step(self, batch, _):
        images, labels = batch
        right = (self(images).argmax(1) == labels).float().mean()
        self.log("val_accuracy", right, prog_bar=True, batch_size=len(labels))

    def on_validation_epoch_end(self):
        if not self.trainer.sanity_checking:
            self.accuracies.append(float(self.trainer.callback_metrics["val_accuracy"]))

    def configure_optimizers(self):
        trained = [p for p in self.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self.job.lr, weight_decay=1e-4)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.job.epochs)]


class LastStage(BaseFinetuning):
    """Everything below the last stage stays frozen."""

    def freeze_before_training(self, pl_module):
        self.freeze(pl_module.backbone[:7])  # conv1 ... layer3; 7 is layer4

    def finetune_function(self, pl_module, epoch, optimizer):
        """Nothing is unfrozen later."""


def loaders(job):
    crop = [transforms.Resize(round(job.image_size / 0.875)), transforms.CenterCrop(job.image_size)]
    varied = [
        transforms.RandomResizedCrop(
            job.image_size, (0.7, 1.0), interpolation=InterpolationMode.BILINEAR, antialias=True
        ),
        transforms.RandomHorizontalFlip(),
    ]
    to_input = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    workers = os.cpu_count() if job.workers is None else job.workers
    options = {"batch_size": job.batch_size, "num_workers": workers, "persistent_workers": workers > 0}
    first = varied if job.augment == "light" else crop
    train = ImageFolder(f"{job.data}/train", transforms.Compose([*first, *to_input]))
    val = ImageFolder(f"{job.data}/val", transforms.Compose([*crop, *to_input]))
    return DataLoader(train, shuffle=True, **options), DataLoader(val, **options)


def train(job):
    if job.backbone != "torchvision/resnet18":
        raise NotImplementedError("only ResNet-18")
    lightning.seed_everything(job.seed)
    batches = loaders(job)
    module = Classifier(job.weights, len(batches[0].dataset.classes), job)
    callbacks = {"probe": [BackboneFinetuning()], "partial": [LastStage()], "full": []}
    with tempfile.TemporaryDirectory() as folder:
        trainer = lightning.Trainer(
            max_epochs=job.epochs, accelerator="cpu", callbacks=callbacks[job.work], default_root_dir=folder
        )
        started = time.perf_counter()
        trainer.fit(module, *batches)
        seconds = time.perf_counter() - started
    return {"fit_seconds": seconds, "images_seen": module.seen, "accuracies": module.accuracies}


if __name__ == "__main__":
    main(train, "lightning")
