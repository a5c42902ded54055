"""Models of transformers too small to know anything, which is enough to see what is asked of them."""

import torch
from tokenizers_in_code import bytes_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM


def tiny_llama(seed=0, **config):
    """Two layers over bytes, trained (so it says) for 512 tokens."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            **{
                "vocab_size": 257, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
                "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 512,
                "initializer_range": 0.3,  # so that positions make a difference
                "bos_token_id": None, "eos_token_id": 256, "pad_token_id": 256,
            } | config
        )
    ).eval()  # fmt: skip


def save_tiny(folder, seed=0, **config):
    """Such a model and its tokenizer, as a folder."""
    tiny_llama(seed, **config).save_pretrained(folder)
    bytes_tokenizer().save_pretrained(folder)
    return folder
