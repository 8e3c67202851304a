"""The language models of transformers that can be fine-tuned: where each has its blocks, its last norm and its head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ._text_families import Family

_LLAMA = Family("model.layers", ("model.norm", "lm_head"))

DECODERS: Mapping[str, Family] = {
    "gpt2": Family("transformer.h", ("transformer.ln_f", "lm_head")),
    "gpt_neox": Family("gpt_neox.layers", ("gpt_neox.final_layer_norm", "lm_head")),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
}
"""The head is the last norm and the projection onto the vocabulary. Where the projection is the embedding (tied), it
is one tensor and belongs to the stem: the norm alone is the head then."""


def known_decoders() -> Sequence[str]:
    return sorted(DECODERS)
