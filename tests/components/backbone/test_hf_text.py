"""Text encoders of transformers by folder and config: weights, poolers, lengths, refusals, and LRs over layers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from ftcli.components.backbone._hf_files import find_files
from ftcli.components.backbone._hf_text import open_text
from ftcli.components.backbone._opened import Opened
from ftcli.components.head import Linear
from ftcli.components.layer_lr.layer_decay import LayerDecay
from ftcli.components.layer_lr.layer_decay import scales as decay_scales
from ftcli.components.layer_lr.stages import Stages, scales
from ftcli.engine.build import with_head
from ftcli.errors import ModelError, RecipeError
from ftcli.plans.tokenization import PAD, Tokenization
from tests.text_models import BERT, TINY, config_of, some_tokens

transformers = pytest.importorskip("transformers")


def published(folder: Path, kind: str, config: str, values: dict[str, Any]) -> Any:
    """A random model in a folder as `save_pretrained` leaves it; returns the model."""
    torch.manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = getattr(transformers, kind)(getattr(transformers, config)(**values)).eval()
        model.save_pretrained(folder)
    return model


def opened_folder(folder: Path, weights: str = "default", max_length: int | None = None) -> Opened:
    files = find_files(str(folder))
    return open_text(str(folder), files, files.config(), weights, max_length)


SAME = [
    ("BertForSequenceClassification", "BertConfig", BERT),
    ("RobertaForSequenceClassification", "RobertaConfig", BERT),
    ("DistilBertForSequenceClassification", "DistilBertConfig", TINY["distilbert"]),
    ("DebertaV2ForSequenceClassification", "DebertaV2Config", TINY["deberta-v2"]),
    ("ModernBertForSequenceClassification", "ModernBertConfig", TINY["modernbert"]),
]


@pytest.mark.parametrize(("kind", "config", "values"), SAME)
def test_a_folder_computes_what_transformers_computes(
    tmp_path: Path, kind: str, config: str, values: dict[str, Any]
) -> None:
    model = published(tmp_path, kind, config, values | {"num_labels": 5})
    tokens = some_tokens()
    ours = opened_folder(tmp_path).model.eval()
    with torch.no_grad():
        pad = model.config.pad_token_id
        numbers = tokens.long().where(tokens != PAD, torch.tensor(pad))
        theirs = model(input_ids=numbers, attention_mask=(tokens != PAD).long()).logits
        torch.testing.assert_close(ours(tokens), theirs, rtol=0, atol=1e-6)


def test_a_mere_encoder_gets_a_classifier_and_keeps_its_pooler(tmp_path: Path) -> None:
    """As all-MiniLM is published."""
    model = published(tmp_path, "BertModel", "BertConfig", BERT)
    ours = opened_folder(tmp_path)
    assert torch.equal(ours.model.get_submodule("bert.pooler.dense").weight, model.pooler.dense.weight)
    assert "random" not in ours.weights


def test_a_pooler_that_is_not_there_is_told(tmp_path: Path) -> None:
    """What masked-language models are published as has none."""
    published(tmp_path, "BertForMaskedLM", "BertConfig", BERT)
    assert "without bert.pooler, which starts from random values" in opened_folder(tmp_path).weights


def test_t5_gives_its_encoder_and_the_mean_over_the_tokens(tmp_path: Path) -> None:
    model = published(
        tmp_path, "T5ForConditionalGeneration", "T5Config", TINY["t5"] | {"num_decoder_layers": 1}
    )
    ours, tokens = opened_folder(tmp_path), some_tokens()
    assert not [name for name in ours.model.state_dict() if "decoder" in name]
    seen: list[torch.Tensor] = []
    ours.model.get_submodule("classifier").register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        ours.model.eval()(tokens)
        there = tokens[1][tokens[1] != PAD].long()
        hidden = model.get_encoder()(input_ids=there[None]).last_hidden_state
    torch.testing.assert_close(seen[0][1], hidden[0].mean(0), rtol=1e-5, atol=1e-6)


def test_weights_that_lack_a_block_are_refused(tmp_path: Path) -> None:
    published(tmp_path, "BertModel", "BertConfig", BERT)
    tensors = load_file(tmp_path / "model.safetensors")
    short = {name: tensor for name, tensor in tensors.items() if "layer.2" not in name}
    save_file(short, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"bert\.encoder\.layer\.2"):
        opened_folder(tmp_path)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    published(tmp_path, "BertModel", "BertConfig", BERT)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="no weights as safetensors"):
        opened_folder(tmp_path)


def test_weights_from_a_file_of_ones_own(tmp_path: Path) -> None:
    published(tmp_path, "BertModel", "BertConfig", BERT)
    tensors = {name: tensor + 1 for name, tensor in load_file(tmp_path / "model.safetensors").items()}
    save_file(tensors, tmp_path / "own.safetensors", {"format": "pt"})
    ours = opened_folder(tmp_path, str(tmp_path / "own.safetensors"))
    name = "bert.encoder.layer.0.output.dense.weight"
    assert torch.equal(ours.model.state_dict()[name], tensors[name.removeprefix("bert.")])
    assert ours.weights.startswith("file own.safetensors")


def test_a_type_that_is_no_text_encoder_is_refused_with_those_that_are() -> None:
    with pytest.raises(ModelError, match=r"bert, .*roberta.*it is a 'vit'"):
        open_text("vit", None, {"model_type": "vit"}, "none", meta=True)


@pytest.mark.parametrize(
    ("which", "most"), [("bert", 40), ("roberta", 38), ("mpnet", 38), ("modernbert", 40)]
)
def test_no_text_is_longer_than_the_positions(which: str, most: int) -> None:
    """RoBERTa's positions begin behind the number of its padding token, 1."""

    def opened(max_length: int | None) -> Opened:
        return open_text(which, None, config_of(which), "none", max_length)

    assert opened(None).preprocessing == Tokenization(most, 60, most)
    with pytest.raises(ModelError, match=f"positions for {most}"):
        opened(most + 1)
    with torch.no_grad():
        opened(most).model.eval()(torch.full((1, most), 5, dtype=torch.int32))


def test_relative_positions_have_no_end_but_the_usual_length() -> None:
    assert open_text("t5", None, config_of("t5"), "none", meta=True).preprocessing == Tokenization(512, 60)
    longer = open_text("t5", None, config_of("t5"), "none", 700, meta=True)
    assert longer.preprocessing == Tokenization(700, 60)


def test_the_worked_head_of_a_bert() -> None:
    """h = [.3 -.1 .5 .2] through W and b: logits .10 .04, softmax .5150 .4850, cross-entropy .664 for class 0."""
    values = {
        "model_type": "bert",
        **BERT,
        "hidden_size": 4,
        "num_attention_heads": 2,
        "intermediate_size": 8,
    }
    network = with_head(open_text("bert", None, values, "none"), "hf/bert", Linear(), 2, seed=0)
    model = network.model.eval()
    with torch.no_grad():
        model.get_submodule("classifier").weight.copy_(  # transformers keep it as (outputs, inputs)
            torch.tensor([[0.4, -0.2], [0.1, 0.3], [-0.3, 0.5], [0.2, -0.1]]).T
        )
        model.get_submodule("classifier").bias.copy_(torch.tensor([0.1, -0.1]))
        pooler = model.get_submodule("bert.pooler.dense")
        pooler.weight.zero_()
        pooler.bias.copy_(torch.tensor([0.3, -0.1, 0.5, 0.2]).atanh())  # behind it stands a tanh
        logits = model(some_tokens(1))
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor([0]))
    torch.testing.assert_close(logits, torch.tensor([[0.10, 0.04]]), rtol=0, atol=1e-6)
    torch.testing.assert_close(logits.softmax(1), torch.tensor([[0.5150, 0.4850]]), rtol=0, atol=5e-5)
    assert loss.item() == pytest.approx(0.664, abs=5e-4)


def bert_of(blocks: int) -> Any:
    opened = open_text("bert", None, config_of("bert") | {"num_hidden_layers": blocks}, "none", meta=True)
    return with_head(opened, "hf/bert", Linear(), 2, seed=0, meta=True).layer_map


def test_discriminative_lrs_over_ranges_of_layers() -> None:
    """encoder.layer[:6] 1e-5, [6:] 2e-5, classifier 3e-5."""
    layer_map = bert_of(12)
    table = {"stem": 1e-5, "layer[:6]": 1e-5, "layer[6:]": 2e-5, "pooler": 2e-5, "head": 3e-5}
    found = scales(Stages(kind="stages", lr=table), layer_map, 3e-5)
    rates = {layer.name: found[layer.index] * 3e-5 for layer in layer_map.layers}
    expected = {"stem": 1e-5, **{f"layer.{n}": 1e-5 if n < 6 else 2e-5 for n in range(12)}}
    assert rates == pytest.approx(expected | {"pooler": 2e-5, "head": 3e-5})


def test_a_range_of_layers_that_are_not_there_is_an_error() -> None:
    with pytest.raises(RecipeError) as caught:
        scales(Stages(kind="stages", lr={"layer[12:]": 1e-5}), bert_of(12), 3e-5)
    assert "'layer[12:]' matches no stage" in caught.value.problems[0].message


def test_layer_wise_decay_counts_embeddings_blocks_pooler_and_head() -> None:
    layer_map = bert_of(12)
    found = decay_scales(LayerDecay(kind="layer_decay", decay=0.75), layer_map, 1.0)
    names = [layer.name for layer in layer_map.layers]
    assert found[names.index("head")] == 1.0
    assert found[names.index("layer.11")] == pytest.approx(0.75**2)
    assert found[names.index("stem")] == pytest.approx(0.75**14)
