"""What do bfloat16 keys lose by being re-rotated, beside keys that are kept unrotated?

A Llama of 4 layers, token by token from L = 64 to 8 L, the tokens given. Logits are compared with those of the same weights
in float32 whose keys are kept unrotated; the keys of the first layer, which are the same in every way of keeping them, with
the unrotated ones rotated exactly.
Run: python benchmarks/what_does_re_rotation_lose.py
"""

import warnings

import torch
import transformers

import yarncore as yc

from shared.decoders import extended, llama
from shared.interleaved import print_table

SIZE = {"layers": 4, "size": 256, "heads": 4}
HOW_OFTEN = {"doubling": {}, "at every token": {"steps": None}}


@torch.inference_mode()
def decoded(model, ids, original):
    """The last logits of each forward, and the cache."""
    cache = transformers.DynamicCache(config=model.config)
    logits = [model(ids[:, :original], cache=cache).logits[0, -1].float()]
    for position in range(original, ids.shape[1]):
        logits.append(model(ids[:, position : position + 1], cache=cache).logits[0, -1].float())
    return torch.stack(logits), cache


def relative(found, exact):
    """Root of the mean square of the difference, relative to that of the exact ones."""
    found, exact = found.double(), exact.double()
    return float(((found - exact).pow(2).mean() / exact.pow(2).mean()).sqrt())


def rows(original=64, ends=8):
    """One for each way."""
    ids = torch.randint(0, 1024, (1, ends * original), generator=torch.Generator().manual_seed(1))
    low = llama(original, dtype=torch.bfloat16, **SIZE)
    high = llama(original, **SIZE)
    high.load_state_dict(low.state_dict())
    found = []
    for often, how in HOW_OFTEN.items():
        scaling = yc.DynamicYaRN(original)
        exact, _ = decoded(extended(high, scaling, keys="unrotated", **how), ids, original)
        unrotated, cache = decoded(extended(low, scaling, keys="unrotated", **how), ids, original)
        of_cache = scaling if how else yc.DynamicYaRN(original, steps="doubling")
        rotation = yc.Rope(SIZE["size"] // SIZE["heads"], scaling=of_cache).at(ids.shape[1])
        exact_keys = rotation.rotate(cache.layers[0].keys.double(), None, None, heads_axis=-3)
        read_keys = rotation.rotate(cache.layers[0].keys, None, None, heads_axis=-3)
        rerotated, cache = decoded(extended(low, scaling, **how), ids, original)
        for name, logits, keys in (
            (f"re-rotated, {often}", rerotated, cache.layers[0].keys),
            (f"unrotated, scale changes {often}", unrotated, read_keys),
        ):
            same = float((logits.argmax(-1) == exact.argmax(-1)).float().mean())
            found.append([name, f"{relative(keys, exact_keys):.4f}", f"{relative(logits, exact):.3f}", f"{same:.1%}"])
    return found


def test_losing(benchmark):
    benchmark(lambda: rows(8, 2))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    columns = ["bfloat16, 512 tokens", "keys of the first layer, rms", "logits, rms", "same largest logit"]
    print_table("Against float32 with unrotated keys, relative", columns, rows())
