"""The Recipe: a table of contents over the components' options, and the few sections that have no kinds."""

from __future__ import annotations

import os.path
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from ftcli.registry import Many, Options, union_of

_WORD = r"[A-Za-z0-9_.\-]+"
_BACKBONE = (
    rf"^(?:(?:torchvision|timm|hf)/{_WORD}"
    rf"|hf/{_WORD}/{_WORD}|timm/hf-hub:{_WORD}/{_WORD}(?:@[A-Za-z0-9_./\-]+)?"
    r"|hf/[./~].*|timm/local-dir:.+)$"
)
"""A name of a library, a repository of the Hugging Face hub, or a folder."""


class Model(Options):
    """The network: a pretrained backbone and a new head."""

    backbone: Annotated[str, Field(pattern=_BACKBONE)]
    """SOURCE/NAME: torchvision/resnet18, timm/tf_efficientnet_lite0; `ftcli models ls` lists them. From the Hugging
    Face hub: hf/OWNER/NAME, timm/hf-hub:OWNER/NAME. From a folder: hf/PATH that begins with `.`, `/` or `~`,
    timm/local-dir:PATH."""
    weights: str = "default"
    """default: the pretrained weights of that name. none: random. Otherwise a local .safetensors or .pth file."""
    head: union_of("head") = Field(default_factory=lambda: {"kind": "linear"}, validate_default=True)  # type: ignore[valid-type]
    """What replaces the pretrained classifier; a language model keeps its own head."""
    config: dict[str, bool | int | float | str] | None = None
    """Values of its config.json, for a network without weights: hf/gpt2 with {n_layer: 4, n_embd: 192}."""

    @model_validator(mode="after")
    def _config_is_of_an_architecture(self) -> Model:
        if self.config is not None and not re.fullmatch(r"hf/[A-Za-z0-9_\-]+", self.backbone):
            raise ValueError("config changes an architecture of transformers, hf/MODEL_TYPE; remove it")
        return self


class EarlyStopping(Options):
    """End the run when the checkpoint metric stops improving; counted in the last phase only."""

    patience: int = Field(default=5, ge=1)
    """Epochs without improvement."""
    min_delta: float = Field(default=0.0, ge=0)
    """The least gain that counts as improvement."""


class Train(Options):
    """The loop."""

    epochs: int = Field(default=10, ge=1)
    """Over all phases."""
    batch_size: int = Field(default=32, ge=1)
    """Images in one forward pass."""
    accumulation: int = Field(default=1, ge=1)
    """Batches per optimizer step; the effective batch is batch_size times this."""
    clip_norm: float | None = Field(default=1.0, gt=0)
    """Clip the gradient's global norm; null for never."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target spread over all classes."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto: bf16 where the machine computes in it faster and the network's features, compared on the first images,
    move by 1% at most; else fp32. fp16 needs CUDA and scales the loss."""
    early_stopping: EarlyStopping | None = None
    """{patience, min_delta}; default off."""
    checkpoint_metric: Literal[
        "auto", "accuracy", "balanced_accuracy", "macro_f1", "mean_average_precision", "perplexity", "loss"
    ] = "auto"
    """What epochs are compared by, on validation; of equal scores the one of less loss. auto: mean average precision on
    multi-label data, perplexity of a language model, macro F1 where the largest class has more than 3 times the
    examples of the smallest, accuracy otherwise."""
    checkpoint_rule: Literal["auto", "best", "last"] = "auto"
    """Which epoch is kept. best: that of the best score. last: the last one, unless it scores more than two standard
    errors, or 20 points, below the best: weights settle while the LR comes down, and of a few dozen images the best
    score is chance. auto: last, where the LR ends at a tenth of its peak or less; best otherwise, with early_stopping,
    by loss, and of a language model. A run that early_stopping ends keeps the best."""
    sampler: Literal["shuffle", "balanced", "weighted"] = "shuffle"
    """shuffle: every example once an epoch. balanced: drawn so that each class comes equally often. weighted: drawn by
    the examples' weights. An epoch has as many examples in each case; drawn ones may come twice or not at all."""
    on_non_finite: Literal["stop", "rollback"] = "stop"
    """What follows NaN or infinity in a loss, a gradient, a weight or a buffer. stop: the run ends, diagnosis.json says
    where. rollback: the epoch begins anew at half the LR, which stays so; three times in a run, then it ends;
    checkpoints are then of whole epochs alone."""


class Checkpoint(Options):
    """What is kept of a run on its way, for `--resume`: its state after every epoch, and more often where asked."""

    every_steps: int | None = Field(default=None, ge=1)
    """Within an epoch too, after so many optimizer steps; null: not by steps."""
    every_minutes: float | None = Field(default=10.0, gt=0)
    """Within an epoch too, when the last checkpoint is so old; null: not by time."""
    keep: int = Field(default=2, ge=2)
    """The last n checkpoints stay, beside the best one; a damaged one is passed over for the one before it."""


class Cache(Options):
    """What is computed once and kept, instead of computed again."""

    prefix: Literal["auto", "off"] = "auto"
    """What the frozen part of the network makes of each image. auto: kept where images come again and it is a tenth of
    the work or more; the numbers are the same, in fp32 bit for bit. (Kernels that round by an image's place in its
    batch, as SiLU within squeeze-and-excitation does, may differ in a last bit.)"""
    views: Literal["auto", "fresh"] | Annotated[int, Field(ge=1, le=1000)] = "auto"
    """How many augmented variants of each image are put through the frozen part; epoch e then sees those of epoch e
    modulo views. auto: 4 in phases of 8 epochs or more. fresh: as many as epochs, and nothing is kept of them. Whatever
    it says, augment: flip has its two, both are kept, and each epoch takes of each image the one of its own coin."""
    disk_gb: float = Field(default=20.0, ge=0)
    """What may be kept on disk for the next run, in GiB; 0: nothing. See `ftcli cache`."""


class Runtime(Options):
    """Where and how it runs."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: CUDA when there is one."""
    workers: int | Literal["auto"] = "auto"
    """Processes that decode images which do not fit into memory; auto: one per core, at most 8."""
    image_memory_gb: float = Field(default=2.0, ge=0)
    """Decoded images are kept in memory up to this many GiB; beyond it they are decoded in every epoch."""
    exact: bool = False
    """Leave out all that makes a run faster by changing its numbers: repeated views, bf16 where nobody asked for it,
    gradients in pieces, folded batch norms, a compiled frozen part, crops of whole batches."""
    cuda_graphs: bool = False
    """On CUDA: record the steps of a small head over what is kept of a frozen part once, and replay them. The same
    bits, proved on a batch, with fewer calls of Python. Off unless asked for: what it gains has not been measured."""
    depthwise: Literal["auto", "off"] = "auto"
    """auto: on a CPU the weight gradient of depthwise kernels wider than three columns is computed in pieces, wherever
    the image is as wide as the kernel: faster there, and rounded otherwise in the last bits. off: as torch does it."""
    deterministic: bool = False
    """On CUDA: kernels that give the same bits each time, which are slower; what has none is told. A CPU gives the same
    bits anyway."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Whether what lies below the first layer that trains is compiled, where it is kept at one stage alone. auto: on a
    CPU from 50,000 images (each counted by its views) on, which then take up to a quarter less time, or no less, and
    are rounded otherwise. on: from the first, and on a GPU. off, or without a C++ compiler: the network's own code."""
    fold_bn: Literal["auto", "off"] = "auto"
    """auto: on a CPU the batch norms below the first layer that trains are folded into the convolutions before them,
    which is faster and rounds otherwise, by no more than the precision does. off: as the network does it."""
    crops: Literal["auto", "image", "batch"] = "auto"
    """How training images are cropped and mirrored. image: one by one, by the processor. batch: a whole batch at once
    on the device, the same crops, of which few pixels or none are rounded otherwise, by one level of 255; slower on a
    CPU. auto: batch on CUDA. Augmentations that are more than a crop and a mirror image are made image by image."""


class Forgetting(Options):
    """Measure what the backbone forgets: the classifier that came with its weights is put on it again at the end."""

    path: Annotated[str, Field(min_length=1), AfterValidator(os.path.expanduser)]
    """A folder of images of the kind that the weights were trained on, one folder per class, relative to the current
    directory. Each is called as a class of the old classifier (tabby, n02123045) or, where these have no numbers for
    names, by its index (281). These images are looked at before the first step and at the end; nothing learns from
    them."""


class Generation(Options):
    """What a language model is asked to go on with, before its first step and at its end: samples for the report."""

    prompts: Many[Annotated[str, Field(min_length=1)]] = ()
    """Texts; without any the first words of three test documents."""
    max_tokens: int = Field(default=48, ge=0, le=10_000)
    """The most tokens that are added to each; 0: no samples."""
    temperature: float = Field(default=0.0, ge=0, le=10)
    """0: the likeliest token each time; 1: drawn as the model's probabilities say, from the recipe's seed."""


def _section(name: str, default: Any = None) -> Any:
    """A section with kinds. A mapping as default is validated; None leaves the choice to the plan."""
    if default is None:
        return Field(default=None)
    return Field(default_factory=lambda: default, validate_default=True)


class Recipe(Options):
    """A fine-tuning recipe. `data`, `model.backbone` and `strategy` are enough."""

    name: str = Field(default="run", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$")
    """Names the run folder, in letters, digits, `_`, `.` and `-`; the recipe's file name when left out."""
    task: Literal["image_classification", "text_classification", "causal_lm"] = "image_classification"
    """What is learned. text_classification takes data of kind text_csv, text_folder or text_hf_dataset and a
    text encoder: hf/NAME. causal_lm: the next token of a corpus (data of kind corpus or corpus_csv) by a language
    model: hf/NAME."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Decides the split, the new head's weights, the order of examples and their augmentation."""
    data: union_of("data")  # type: ignore[valid-type]
    """Where the examples come from."""
    model: Model
    """The network."""
    strategy: union_of("strategy")  # type: ignore[valid-type]
    """What trains, and when."""
    augment: union_of("augment") | None = _section("augment")  # type: ignore[valid-type]
    """How training images are varied. Default: none for feature extraction, else light."""
    layer_lr: union_of("layer_lr") | None = _section("layer_lr")  # type: ignore[valid-type]
    """The LR of each layer. Default: backbone at a tenth of the head's; uniform where there is no pretrained one."""
    norm: union_of("norm") = _section("norm", {"kind": "auto"})  # type: ignore[valid-type]
    """The BatchNorm policy."""
    optimizer: union_of("optimizer") = _section("optimizer", {"kind": "adamw"})  # type: ignore[valid-type]
    """The optimizer and the base LR."""
    objective: union_of("objective") = _section("objective", {"kind": "cross_entropy"})  # type: ignore[valid-type]
    """What training makes small."""
    schedule: union_of("schedule") = _section("schedule", {"kind": "cosine"})  # type: ignore[valid-type]
    """How the LR moves; default a tenth of warm-up, then cosine."""
    train: Train = Train()
    """The loop."""
    checkpoint: Checkpoint = Checkpoint()
    """What `--resume` goes on from."""
    cache: Cache = Cache()
    """What is kept instead of computed again."""
    runtime: Runtime = Runtime()
    """Where it runs."""
    forgetting: Forgetting | None = None
    """{path}: how well the old classifier does on its own kind of images, before and after. Default: not measured."""
    generation: Generation = Generation()
    """Of a language model: the samples in its report."""
    trackers: Many[union_of("tracker")] = ()  # type: ignore[valid-type]
    """Where else it may be followed while it runs: [tensorboard], [mlflow], [wandb]. One that fails is told of, and
    stops nothing."""

    @model_validator(mode="after")
    def _scratch_has_no_weights(self) -> Recipe:
        if self.strategy.kind == "scratch" and self.model.weights not in ("default", "none"):
            raise ValueError("strategy scratch starts from random weights; remove model.weights")
        return self

    @model_validator(mode="after")
    def _forgetting_can_be_measured(self) -> Recipe:
        if self.forgetting is not None and not self.pretrained:
            raise ValueError("random weights know nothing that could be forgotten; remove forgetting")
        if self.forgetting is not None and self.takes_texts:
            raise ValueError("forgetting is measured on images alone; remove forgetting")
        if self.forgetting is not None and getattr(self.strategy, "quantize", "none") != "none":
            what = "what rounding the base to 4 bits costs would be counted as forgotten"
            raise ValueError(f"{what}; remove forgetting, or strategy.quantize")
        return self

    @model_validator(mode="after")
    def _data_are_of_the_task(self) -> Recipe:
        if self.data.task != self.task:
            raise ValueError(f"data of kind {self.data.kind} are for task: {self.data.task}, not {self.task}")
        if self.takes_texts and self.augment is not None and self.augment.kind != "none":
            raise ValueError(f"augment: {self.augment.kind} varies images; remove it, or set augment: none")
        return self

    @model_validator(mode="after")
    def _metric_is_of_the_task(self) -> Recipe:
        metric = self.train.checkpoint_metric
        if not self.learns_tokens and metric == "perplexity":
            raise ValueError("perplexity is a language model's; set train.checkpoint_metric: auto")
        if self.train.checkpoint_rule == "last" and (self.learns_tokens or metric == "loss"):
            raise ValueError(
                "checkpoint_rule: last goes by a score of classes, not by a loss; set train.checkpoint_rule: best"
            )
        return self

    @model_validator(mode="after")
    def _config_has_no_weights(self) -> Recipe:
        if self.model.config is not None and self.pretrained:
            raise ValueError(
                "model.config is for random weights: set strategy: scratch, or model.weights: none"
            )
        return self

    @model_validator(mode="after")
    def _language_models_have_no_classes(self) -> Recipe:
        """Nor a new head."""
        if not self.learns_tokens:
            if self.generation != Generation():
                raise ValueError("generation is a language model's; remove it")
            return self
        asked = {
            "model.head": self.model.head.model_dump() != {"kind": "linear", "dropout": 0.0},
            "objective": self.objective.model_dump() != {"kind": "cross_entropy", "class_weights": "none"},
            "train.sampler": self.train.sampler != "shuffle",
            "data.split.folds": self.data.split.folds is not None,
            "train.checkpoint_metric": self.train.checkpoint_metric
            not in ("auto", "perplexity", "accuracy", "loss"),
        }
        for path, is_asked in asked.items():
            if is_asked:
                raise ValueError(f"causal_lm has no classes and keeps the model's own head; remove {path}")
        return self

    @property
    def takes_texts(self) -> bool:
        return self.task in ("text_classification", "causal_lm")

    @property
    def learns_tokens(self) -> bool:
        """Whether the next token is learned, by a language model with the head that it has."""
        return self.task == "causal_lm"

    @property
    def input_size(self) -> int | None:
        """Pixels of a side, or tokens; None leaves it to the network."""
        if self.learns_tokens:
            return self.data.sequence_length
        return self.data.max_length if self.takes_texts else self.data.image_size

    @property
    def noun(self) -> str:
        """What an example is."""
        if self.learns_tokens:
            return "sequence"
        return "text" if self.takes_texts else "image"

    @property
    def source_noun(self) -> str:
        """What the data has one by one: of a corpus documents, from which the sequences are made."""
        return "document" if self.learns_tokens else self.noun

    @property
    def pretrained(self) -> bool:
        """Whether the backbone starts from learned weights."""
        return self.strategy.kind != "scratch" and self.model.weights != "none"
