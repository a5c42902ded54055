"""Models small enough for a test, with weights large enough that a wrong rotation shows."""

import copy

import torch
import transformers

LENGTH = 64
SIZES = {
    "vocab_size": 96, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": LENGTH, "initializer_range": 0.2, "attn_implementation": "eager",
    "eos_token_id": None,
}  # fmt: skip
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": LENGTH, "rope_theta": 10_000.0}


def loaded(model_type="llama", seed=0, **keys):
    """A model with a head that generates, as from_pretrained would give it."""
    torch.manual_seed(seed)
    keys = copy.deepcopy({**SIZES, **keys})  # a configuration completes the rope dict that it is given
    config = transformers.AutoConfig.for_model(model_type, **keys)
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def tokens(count=48, batch=1, seed=1):
    return torch.randint(5, 90, (batch, count), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def logits(model, ids=None, **how):
    return model(tokens() if ids is None else ids, **how).logits


def noise(wanted):
    """What float32 may differ by in logits of this size: angles of transformers are rounded, and products reordered."""
    return 2e-5 * float(wanted.abs().max())
