"""Random decoders of transformers, extended in several ways."""

import copy

import torch
import transformers

from yarncore.transformers import extend


def llama(original, layers=8, size=1024, heads=16, dtype=torch.float32):
    """A Llama of random weights, the same for the same arguments."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=1024, hidden_size=size, intermediate_size=4 * size, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=heads // 2, max_position_embeddings=original, attn_implementation="sdpa", initializer_range=0.05,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).to(dtype).eval()


def extended(model, scaling, **how):
    """A copy of a model, extended."""
    model = copy.deepcopy(model)
    extend(model, scaling, **how)
    return model
