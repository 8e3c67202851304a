"""A tokenizer learned from the training documents, where a network made of its config alone comes without one."""

from __future__ import annotations

from collections.abc import Iterable

END_OF_TEXT = "<|endoftext|>"
LEAST = 257
"""Every byte and the end of text: no text is beyond such a vocabulary."""


def learned_tokenizer(texts: Iterable[str], vocabulary: int) -> str:
    """The JSON of a byte-level BPE, as GPT-2's, of at most `vocabulary` tokens; END_OF_TEXT is number 0.

    The same texts give the same tokenizer. Raises ValueError where the vocabulary has no room for every byte.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    if vocabulary < LEAST:
        raise ValueError(f"a vocabulary of {vocabulary} has no room for the 256 bytes and the end of text")
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    return str(made.to_str())
