"""How far is Dynamic-YaRN with a cache from computing the whole sequence anew at its last scale?

A property of the method, not of how keys are stored: what deeper layers cache was computed from hidden states of the scale
that held then. A Llama of 4 layers and random weights, float32, L = 64, token by token; the hidden states of the last 32
tokens before each step, relative to those of a forward without a cache. The keys and values of the first layer come from
the words alone: what it computes is equal.
Run: python benchmarks/how_far_is_a_full_recompute.py
"""

import warnings

import torch
import transformers

import yarncore as yc

from shared.decoders import extended, llama
from shared.interleaved import print_table

SIZE = {"layers": 4, "size": 256, "heads": 4}
LAST = 32


@torch.inference_mode()
def rows(original=64, ends=8):
    """One for each length at which a step ends."""
    ids = torch.randint(0, 1024, (1, ends * original), generator=torch.Generator().manual_seed(1))
    model = extended(llama(original, **SIZE), yc.DynamicYaRN(original))
    cache = transformers.DynamicCache(config=model.config)
    found, states, logits = [], [], []
    for position in range(ends * original):
        output = model(ids[:, position : position + 1], cache=cache, output_hidden_states=True)
        states.append(torch.stack(output.hidden_states)[:, 0, 0])
        logits.append(output.logits[0, 0])
        length = position + 1
        if length >= 2 * original and length & (length - 1) == 0:
            whole = model(ids[:, :length], use_cache=False, output_hidden_states=True)
            exact = torch.stack(whole.hidden_states)[:, 0, -LAST:]
            layers = [relative(a, b) for a, b in zip(torch.stack(states[-LAST:], 1), exact, strict=True)]
            same = (torch.stack(logits[-LAST:]).argmax(-1) == whole.logits[0, -LAST:].argmax(-1)).float().mean()
            found.append([f"{length // original} L", *(f"{layer:.1e}" for layer in layers[1:]), f"{float(same):.0%}"])
    return found


def relative(found, exact):
    """Root of the mean square of the difference, relative to that of the exact ones."""
    return float(((found - exact).double().pow(2).mean() / exact.double().pow(2).mean()).sqrt())


def test_recomputing(benchmark):
    benchmark(lambda: rows(16, 2))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    columns = [
        "length",
        *(f"after layer {layer}" for layer in (1, 2, 3)),
        "after the last, normed",
        "same largest logit",
    ]
    print_table("Cached against whole, relative rms", columns, rows())
