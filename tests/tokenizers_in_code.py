"""Tokenizers without a download: one of bytes, and one with merges and a token that it puts before a text."""

from functools import cache

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from yarncore.evaluate.needles import KINDS


def _fast(tokenizer, **special):
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<eos>", **special)


def bytes_tokenizer():
    """One token a byte, and <eos>; it adds nothing to a text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: n for n, letter in enumerate(alphabet)} | {"<eos>": 256}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _fast(tokenizer)


@cache
def merging_tokenizer():
    """Byte pairs learned from some prompts, with <bos> before each text, as Llama's."""
    import random

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<bos>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    questions = [kind(random.Random(n), 0.5) for kind in KINDS.values() for n in range(20)]
    tokenizer.train_from_iterator(
        [q.opening + q.closing + " ".join(f.text for f in q.facts) for q in questions], trainer
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", tokenizer.token_to_id("<bos>"))]
    )
    return _fast(tokenizer, bos_token="<bos>")
