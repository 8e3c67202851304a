"""Hugging Face's Trainer at its defaults, with a network of timm in their wrapper: what `timm/NAME` of the hub opens.

The loop of their example for image classification: torchvision's transforms, a collate function, compute_metrics, an
evaluation after each epoch. Images are decoded in the main process (`dataloader_num_workers=0`). Frozen is what has
requires_grad False; model.train() puts frozen BatchNorms into train mode.
"""

import tempfile
import time

import numpy as np
import torch
from job import main
from torchvision import transforms
from torchvision.datasets import ImageFolder
from transformers import (
    TimmWrapperConfig,
    TimmWrapperForImageClassification,
    Trainer,
    TrainingArguments,
    set_seed,
)

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def train(job):
    if job.backbone != "torchvision/resnet18":
        raise NotImplementedError("only ResNet-18")
    set_seed(job.seed)
    datasets = images_of(job)
    model = network(job, len(datasets[0].classes))
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=job.epochs,
            per_device_train_batch_size=job.batch_size,
            per_device_eval_batch_size=job.batch_size,
            learning_rate=job.lr,
            eval_strategy="epoch",
            remove_unused_columns=False,
            use_cpu=True,
            report_to="none",
            seed=job.seed,
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=datasets[0],
            eval_dataset=datasets[1],
            data_collator=collate,
            compute_metrics=share_right,
        )
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
    accuracies = [row["eval_accuracy"] for row in trainer.state.log_history if "eval_accuracy" in row]
    seen = round(trainer.state.epoch * len(datasets[0]))
    return {"fit_seconds": seconds, "images_seen": seen, "accuracies": accuracies}


def network(job, classes):
    config = TimmWrapperConfig(architecture="resnet18", num_labels=classes)
    model = TimmWrapperForImageClassification(config)
    tensors = {k: v for k, v in torch.load(job.weights).items() if not k.startswith("fc.")}
    missing, unknown = model.timm_model.load_state_dict(tensors, strict=False)
    assert set(missing) == {"fc.weight", "fc.bias"}, missing
    assert not unknown, unknown
    trained = {"probe": ("fc.",), "partial": ("fc.", "layer4."), "full": ("",)}[job.work]
    for name, parameter in model.timm_model.named_parameters():
        parameter.requires_grad = name.startswith(trained)
    return model


def images_of(job):
    crop = [transforms.Resize(round(job.image_size / 0.875)), transforms.CenterCrop(job.image_size)]
    varied = [transforms.RandomResizedCrop(job.image_size, (0.7, 1.0)), transforms.RandomHorizontalFlip()]
    to_input = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    first = varied if job.augment == "light" else crop
    return (
        ImageFolder(f"{job.data}/train", transforms.Compose([*first, *to_input])),
        ImageFolder(f"{job.data}/val", transforms.Compose([*crop, *to_input])),
    )


def collate(examples):
    images, labels = zip(*examples, strict=True)
    return {"pixel_values": torch.stack(images), "labels": torch.tensor(labels)}


def share_right(predicted):
    return {"accuracy": float(np.mean(np.argmax(predicted.predictions, axis=1) == predicted.label_ids))}


if __name__ == "__main__":
    main(train, "transformers", "accelerate", "timm")
