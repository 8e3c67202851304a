"""What a recipe is asked for by names from elsewhere and does not have: why, and what there is instead."""

from __future__ import annotations

_BOTTLENECK = "the PEFT library has no bottleneck adapters: take lora, ia3, prefix_tuning or prompt_tuning"
_QUANTISED = (
    "it is an option of lora, for 4 bits: strategy: {kind: lora, quantize: nf4}; there is no base of 8 bits"
)
_INSTEAD = {
    "strategy": {
        _BOTTLENECK: ("adapter", "adapters", "bottleneck", "bottleneck_adapter", "houlsby", "pfeiffer"),
        _QUANTISED: ("qlora", "quantize", "quantization", "load_in_4bit", "load_in_8bit", "bits"),
    }
}
"""Section -> what is said -> the words that it is said to: kinds, or options of one."""


def instead_of(section: str, word: str) -> str | None:
    """None where nobody is known to mean anything by the word."""
    asked = word.lower().replace("-", "_").replace(" ", "_")
    return next((said for said, words in _INSTEAD.get(section, {}).items() if asked in words), None)
