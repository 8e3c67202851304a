"""A network of transformers as one that maps images to logits; its tensors keep transformers' names.

What it returns is an object with many fields. A hook on the model puts the logits in its place, so there is
no wrapper that would put a prefix before every name.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ftcli.errors import ModelError

from ._decoder_families import DECODERS
from ._errors import unsupported
from ._hf_library import library, quietly
from ._opened import build, is_below, is_classifier
from ._text_families import FAMILIES

CLASSIFIER = "classifier"
_CLASSIFIES = ("ForImageClassification", "ForSequenceClassification")
_TWO_HEADS = {
    "DeiTForImageClassificationWithTeacher": ("cls_classifier", "distillation_classifier"),
    "LevitForImageClassificationWithTeacher": ("classifier.linear", "classifier_distill.linear"),
    "SwiftFormerForImageClassification": ("head", "dist_head"),
}
"""Classes whose logits are the mean of two classifiers'."""
FEATURES = {
    "clip": "CLIPVisionModel",
    "clip_vision_model": "CLIPVisionModel",
    "dinov3_convnext": "DINOv3ConvNextModel",
    "dinov3_vit": "DINOv3ViTModel",
    "metaclip_2": "MetaClip2VisionModel",
    "metaclip_2_vision_model": "MetaClip2VisionModel",
    "siglip": "SiglipVisionModel",
    "siglip_vision_model": "SiglipVisionModel",
}
"""Types that are published without a classifier: the class whose pooled features a new head takes."""
_NOT_COMPUTED = {
    "CLIPForImageClassification": ("vision_model.post_layernorm",),
    "MetaClip2ForImageClassification": ("vision_model.post_layernorm",),
}
"""What a class has and does not use for its logits."""
_NAMES_CODE = (
    "auto_map",
    "custom_pipelines",
    "use_kernels",
    "kernel_config",
    "_attn_implementation_internal",
)
ONE_SIZE = ("levit", "pvt")
"""Types whose positions, once trained, are for one size of image: transformers cannot resample these."""
"""Where LeViT keeps, from its first evaluation on, what it computed of its parameters."""
_MASK = "mask_token"
"""What stands for hidden patches in pretraining; no image that is classified has any."""


class Plan(NamedTuple):
    """Which class is made of which config."""

    kind: type[Any]
    config: Any

    @property
    def is_headless(self) -> bool:
        return not any(task in self.kind.__name__ for task in _CLASSIFIES)


def plan_of(values: Mapping[str, Any], name: str) -> Plan:
    """From the content of a config.json. Raises ModelError for what has no image classifier."""
    config = config_of(values, name)
    model_type = str(values.get("model_type"))
    kind = getattr(library(), _class_name(model_type, config.architectures or (), name))
    wants_vision = kind.config_class.model_type != model_type and hasattr(config, "vision_config")
    return Plan(kind, config.vision_config if wants_vision else config)


def config_of(values: Mapping[str, Any], name: str) -> Any:
    """transformers' config of an architecture, from the content of a config.json. Raises ModelError."""
    transformers = library()
    model_type = str(values.get("model_type"))
    if model_type not in transformers.CONFIG_MAPPING:
        version = transformers.__version__
        raise unsupported(f"hf/{name}", f"its type {model_type!r} is not known to transformers {version}")
    if values.get("quantization_config"):
        raise unsupported(f"hf/{name}", "its weights are quantized")
    with quietly():
        try:
            config = transformers.CONFIG_MAPPING[model_type].from_dict(_architecture_alone(values))
        except Exception as error:  # of a foreign file: missing and wrong values
            reason = str(error).strip().partition("\n")[0]
            raise unsupported(f"hf/{name}", f"its config cannot be read: {reason}") from error
    if not config.num_labels:
        config.num_labels = 2  # published without a classifier; this one only holds its place
    return config


def _architecture_alone(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what says how to compute: it can name code on the hub, which would be fetched and run."""
    return {
        key: _architecture_alone(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
        if key not in _NAMES_CODE and not key.endswith("attn_implementation")
    }


def _class_name(model_type: str, architectures: Any, name: str) -> str:
    """The class that the weights are of where that is an image classifier, else the type's usual one."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as known

    usual = known.get(model_type)
    of_type = (usual,) if isinstance(usual, str) else tuple(usual or ())
    for architecture in architectures:
        if architecture in of_type:
            return str(architecture)
    if model_type in FEATURES:
        return FEATURES[model_type]
    if not of_type:
        texts, decoders = ", ".join(sorted(FAMILIES)), ", ".join(sorted(DECODERS))
        why = (
            f"transformers has no image classifier of type {model_type!r}; of text encoders these can: {texts}; of "
            f"language models these: {decoders}"
        )
        raise unsupported(f"hf/{name}", why)
    return of_type[0]


def resize(config: Any, size: int) -> None:
    """A config whose model has not been trained is for any size."""
    own = getattr(config, "image_size", None)
    if own is not None:
        config.image_size = size if isinstance(own, int) else type(own)((size, size))


def construct(plan: Plan, name: str, *, meta: bool) -> nn.Module:
    """With random values. Raises ModelError for a config that no model can be made of."""
    with quietly():
        try:
            model: nn.Module = build(lambda: plan.kind(plan.config), meta=meta)
        except Exception as error:  # of a foreign config: its numbers need not fit together
            raise _not_built(name, error) from error
    return model


def _not_built(name: str, error: Exception) -> ModelError:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return unsupported(f"hf/{name}", f"no model can be made of its config: {reason}")


def construct_with(plan: Plan, tensors: Mapping[str, Tensor], where: str) -> tuple[nn.Module, bool]:
    """With the published tensors, and whether a classifier is among them.

    Raises ModelError for weights that leave a part of the backbone without values.
    """
    model, lacking = filled(plan, tensors, where)
    heads = () if plan.is_headless else head_paths(model)
    _must_be_whole(model, lacking, heads, where)
    return model, bool(heads) and not any(is_below(name, heads) for name in lacking)


def filled(plan: Plan, tensors: Mapping[str, Tensor], where: str) -> tuple[nn.Module, list[str]]:
    """The model with the tensors, by the names that any version of transformers gave them, and what got none.

    No file is named, so that nothing but these tensors is read. Raises ModelError.
    """
    single = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
    with quietly():
        try:
            model, info = plan.kind.from_pretrained(
                None,
                config=plan.config,
                state_dict=single,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise ModelError(f"the weights do not fit the model: {reason}", where=where) from error
    mismatched = [entry[0] for entry in info["mismatched_keys"]]
    return model, sorted((*info["missing_keys"], *mismatched))


def _must_be_whole(model: nn.Module, lacking: Sequence[str], heads: tuple[str, ...], where: str) -> None:
    unused = (*heads, *(path for path, _ in _left_out(model)), *_above(heads))
    refuse_lacking([name for name in lacking if not is_below(name, unused)], where)


def refuse_lacking(names: Sequence[str], where: str) -> None:
    """Raises ModelError where the backbone has tensors without values."""
    if names:
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        what = f"the weights do not fit the model: {len(names)} tensors have no values: {shown}"
        raise ModelError(what, where=where, remedy="the config.json beside them must be of the same model")


def _above(heads: tuple[str, ...]) -> tuple[str, ...]:
    """The modules at the top of the model that hold the heads, with a norm beside them (LeViT)."""
    return tuple(head.partition(".")[0] for head in heads if "." in head)


def head_paths(model: nn.Module) -> tuple[str, ...]:
    """The classifiers: those that the class is known for, else the last linear layer there is."""
    known = _TWO_HEADS.get(type(model).__name__)
    if known:
        return known
    return tuple([name for name, module in model.named_modules() if is_classifier(module)][-1:])


def finish(model: Any, plan: Plan, *, resample: bool) -> None:
    """Make it a map from images to logits, without the parameters that these do not depend on.

    With `resample` the positions of a transformer are brought to the size of each image.
    """
    for path, module in _left_out(model):
        owner, _, field = path.rpartition(".")
        setattr(model.get_submodule(owner), field, None if module is None else nn.Identity())
    if plan.is_headless:
        setattr(model, CLASSIFIER, new_classifier(model, _feature_width(plan.config)))
    model.config.return_dict = True
    if resample and takes_any_size(model):
        model.register_forward_pre_hook(_ask_to_resample, with_kwargs=True)
    model.register_forward_hook(_classify_features if plan.is_headless else logits_alone)


def _left_out(model: Any) -> list[tuple[str, nn.Module | None]]:
    """Paths of parameters, with None, and of modules that the logits do not depend on."""
    found: list[tuple[str, nn.Module | None]] = [
        (name, None) for name, _ in model.named_parameters() if name.rpartition(".")[2] == _MASK
    ]
    for path in _NOT_COMPUTED.get(type(model).__name__, ()):
        found.append((path, model.get_submodule(path)))
    if type(model).__name__ == "SiglipForImageClassification" and hasattr(model.vision_model, "head"):
        found.append(("vision_model.head", model.vision_model.head))
    return found


def new_classifier(model: nn.Module, width: int) -> nn.Linear:
    return nn.Linear(width, 2, device=next(model.parameters()).device)


def _feature_width(config: Any) -> int:
    sizes = getattr(config, "hidden_sizes", None)
    return int(sizes[-1] if sizes else config.hidden_size)


def takes_any_size(model: Any) -> bool:
    """Whether its forward can resample the positions, itself or through the vision model it is made of."""
    parts = (model, getattr(model, "vision_model", None))
    return any(
        "interpolate_pos_encoding" in inspect.signature(part.forward).parameters for part in parts if part
    )


def _ask_to_resample(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, {"interpolate_pos_encoding": True} | kwargs


def logits_alone(model: nn.Module, args: tuple[Any, ...], output: Any) -> Tensor:
    """PP-LCNet calls its logits a hidden state."""
    logits: Tensor = output.logits if "logits" in output else output.last_hidden_state
    return logits


def _classify_features(model: Any, args: tuple[Any, ...], output: Any) -> Tensor:
    logits: Tensor = model.get_submodule(CLASSIFIER)(output.pooler_output.flatten(1))
    return logits


def config_values(plan: Plan) -> dict[str, Any]:
    """What rebuilds the architecture; without the names of the classes, which are the new head's affair."""
    import json

    values: dict[str, Any] = json.loads(plan.config.to_json_string(use_diff=False))
    for key in ("id2label", "label2id", "num_labels", "dtype", "torch_dtype", "_name_or_path"):
        values.pop(key, None)
    if not plan.is_headless:
        values["architectures"] = [plan.kind.__name__]
    return values
