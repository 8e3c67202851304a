"""Adapters of a run in other libraries: PEFT loads them, and folded weights load where the backbone is from."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import ftcli
from ftcli.components.strategy.full import Full
from ftcli.engine.peft_merge import parity
from ftcli.errors import ModelError, UsageError
from ftcli.plans.tokenization import PAD
from ftcli.recipe.schema import Recipe
from ftcli.workflows.evaluate import evaluate
from ftcli.workflows.merge import merge
from ftcli.workflows.open_network import open_network
from ftcli.workflows.predict import predict
from ftcli.workflows.saved_model import SavedModel, load_saved
from ftcli.workflows.train import train
from tests.text_models import some_tokens
from tests.text_toys import some_texts, text_recipe, write_encoder, write_table
from tests.toys import VIT, ignore, recipe, write_digits

peft = pytest.importorskip("peft")
LORA: dict[str, Any] = {"kind": "lora", "rank": 4, "alpha": 32}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_digits(folder / "digits", per_class=12, classes=3)
    write_encoder(folder / "encoder")
    write_table(folder / "texts.jsonl", some_texts(60))
    return folder


SHUFFLENET = "torchvision/shufflenet_v2_x0_5"
SIZES = {SHUFFLENET: 32, VIT: 160}


def image_recipe(place: Path, backbone: str, **strategy: Any) -> Recipe:
    return recipe(
        place,
        data={"kind": "folder", "path": str(place / "digits"), "image_size": SIZES[backbone]},
        model={"backbone": backbone, "weights": "none"},
        strategy=strategy if "kind" in strategy else {**LORA, **strategy},
        optimizer={"lr": 1e-2},
        train={"epochs": 1, "batch_size": 8},
    )


@pytest.fixture(scope="module")
def runs(place: Path) -> Callable[..., Path]:
    """A run of a backbone with LoRA, made once."""

    def made(backbone: str, **strategy: Any) -> Path:
        out = place / "-".join([backbone.rpartition("/")[2], *strategy])
        if not out.exists():
            train(image_recipe(place, backbone, **strategy), out=out, resume=False, listener=ignore)
        return out

    return made


@pytest.fixture(scope="module")
def text_run(place: Path) -> Path:
    out = place / "text"
    train(text_recipe(place, strategy=LORA), out=out, resume=False, listener=ignore)
    return out


def plain_model(backbone: str) -> nn.Module:
    """As its own library makes it, without pretrained weights."""
    if backbone == SHUFFLENET:
        import torchvision

        return torchvision.models.shufflenet_v2_x0_5(num_classes=3)
    import timm

    return timm.create_model(backbone.removeprefix("timm/"), num_classes=3)


def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return model.eval()(images)


def some_images(backbone: str) -> Tensor:
    size = SIZES[backbone]
    return torch.rand((4, 3, size, size), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("backbone", [VIT, SHUFFLENET])
def test_plain_peft_loads_adapters_and_head(backbone: str, place: Path, runs: Callable[..., Path]) -> None:
    """Onto the model of its library with the weights that the run began with."""
    out, base = runs(backbone), plain_model(backbone)
    begun = open_plain(image_recipe(place, backbone))
    head = [name for name in begun if name.startswith(("head", "fc."))]
    base.load_state_dict({name: t for name, t in begun.items() if name not in head}, strict=False)
    loaded = peft.PeftModel.from_pretrained(base, str(out / "adapter"))
    images = some_images(backbone)
    torch.testing.assert_close(
        logits_of(loaded, images), logits_of(load_saved(out).module, images), rtol=1e-5, atol=1e-5
    )


def open_plain(made: Recipe) -> dict[str, Tensor]:
    """The network of a recipe as it is opened, its head new and no adapters in it."""
    return open_network(made.model_copy(update={"strategy": Full(kind="full")}), 3).model.state_dict()


def test_plain_peft_loads_a_text_classifier(place: Path, text_run: Path) -> None:
    transformers = pytest.importorskip("transformers")
    with warnings.catch_warnings():  # PEFT's of transformers
        warnings.simplefilter("ignore")
        base = transformers.AutoModelForSequenceClassification.from_pretrained(
            place / "encoder", num_labels=2
        )
        loaded = peft.PeftModel.from_pretrained(base, str(text_run / "adapter"))
    assert_same_texts(loaded, load_saved(text_run))
    said = json.loads((text_run / "adapter" / "adapter_config.json").read_text())
    assert (said["peft_type"], said["modules_to_save"]) == ("LORA", ["classifier"])
    assert said["base_model_name_or_path"] == str(place / "encoder")


def assert_same_texts(model: Any, saved: SavedModel) -> None:
    tokens = some_tokens()
    is_text = tokens != PAD
    with torch.no_grad():
        found = model.eval()(
            input_ids=tokens.long().masked_fill(~is_text, 0), attention_mask=is_text.long()
        ).logits
    torch.testing.assert_close(found, saved.forward(tokens).detach(), rtol=1e-5, atol=1e-5)


DORA = pytest.param(VIT, {"dora": True}, marks=pytest.mark.slow)
DORA_CONV = pytest.param(SHUFFLENET, {"dora": True}, marks=pytest.mark.slow)
IA3 = (SHUFFLENET, {"kind": "ia3"})
RSLORA = pytest.param(VIT, {"rslora": True}, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("backbone", "strategy"),
    [(VIT, {}), (SHUFFLENET, {}), IA3, DORA, DORA_CONV, RSLORA],
)
def test_folded_weights_load_in_the_backbones_library(
    backbone: str, strategy: dict[str, Any], runs: Callable[..., Path], tmp_path: Path
) -> None:
    out, model, images = runs(backbone, **strategy), plain_model(backbone), some_images(backbone)
    merged = merge(out, tmp_path / "folded.safetensors")
    assert merged.parity.relative < 1e-5
    assert (
        merged.parity.difference > 0 or backbone == SHUFFLENET
    )  # which has next to no features of small images
    assert merged.parity.num_inputs > 0
    state = load_file(tmp_path / "folded.safetensors")
    model.load_state_dict(state)
    saved = load_saved(out)
    torch.testing.assert_close(
        logits_of(model, images), logits_of(saved.module, images), rtol=1e-4, atol=1e-4
    )
    target = (saved.network.adapters.targets or ())[0]
    assert not torch.equal(
        state[f"{target}.weight"], saved.module.state_dict()[f"{target}.base_layer.weight"]
    )


def test_a_folded_file_is_a_model_of_ftclis_own(
    runs: Callable[..., Path], place: Path, tmp_path: Path
) -> None:
    run, file = runs(VIT), tmp_path / "folded.safetensors"
    merge(run, file)
    image = next((place / "digits").glob("*/*.png"))
    (apart,), (folded,) = predict(run, [image]), predict(file, [image])
    assert folded.label == apart.label
    assert folded.probability == pytest.approx(apart.probability, abs=1e-5)
    assert ftcli.open_model(file).card.adapters is None
    begins = image_recipe(place, VIT).model_copy(
        update={"model": image_recipe(place, VIT).model.model_copy(update={"weights": str(file)})}
    )
    assert open_network(begins, 3).weights_note.startswith("file folded.safetensors")


def test_a_folded_folder_opens_in_transformers(text_run: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    merged = merge(text_run, tmp_path / "folded")
    assert merged.modules == 13
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "folded")
    assert model.config.id2label == {0: "first", 1: "second"}
    assert_same_texts(model, load_saved(text_run))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "folded")
    assert len(tokenizer("ba da")["input_ids"]) == 4


def test_what_a_run_says_of_itself(text_run: Path) -> None:
    summary = json.loads((text_run / "summary.json").read_text())
    assert evaluate(text_run)["accuracy"] == summary["test"]["accuracy"]
    assert evaluate(text_run)["loss"] == summary["test"]["loss"]
    assert predict(text_run, ["ba da fa"])[0].label in {"first", "second"}


def test_nothing_to_fold(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "full"
    train(text_recipe(place, strategy="feature_extraction"), out=out, resume=False, listener=ignore)
    with pytest.raises(UsageError, match="no adapters to fold"):
        merge(out, tmp_path / "folded.safetensors")
    assert not (out / "adapter").exists()


def test_a_folder_is_for_transformers(runs: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="timm/test_vit") as caught:
        merge(runs(VIT), tmp_path / "folded")
    assert ".safetensors" in (caught.value.remedy or "")
    assert not (tmp_path / "folded").exists()


def test_more_than_rounding_is_refused() -> None:
    logits = torch.tensor([[1.0, 20.0], [3.0, 4.0]])
    found = parity(logits, logits + 1e-4)
    assert (found.num_inputs, found.other_predictions) == (2, 0)
    assert found.relative == pytest.approx(5e-6, rel=0.05)
    for other in (logits + 1e-2, logits * float("nan")):
        with pytest.raises(ModelError, match="more than rounding"):
            parity(logits, other)


def test_weights_with_adapters_are_no_start(runs: Callable[..., Path], place: Path) -> None:
    made = image_recipe(place, VIT)
    weights = made.model.model_copy(update={"weights": str(runs(VIT) / "best.safetensors")})
    with pytest.raises(ModelError) as caught:
        open_network(made.model_copy(update={"model": weights}), 3)
    assert "ftcli merge" in (caught.value.remedy or "")
