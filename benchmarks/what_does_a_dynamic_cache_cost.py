"""What does a scale that follows the length cost with a cache, in time a token and in memory?

Token by token from L to 8 L, one token of each model in turn, 8 layers of 1,024 with 16 heads of q and 8 of k, float32,
one thread: static YaRN, Dynamic-YaRN with doubling steps (keys re-rotated at steps), the same with unrotated keys. The
clock of rotation is around all that rotates, turns, reads lengths and keeps records.
Run: python benchmarks/what_does_a_dynamic_cache_cost.py
"""

import statistics
import time
import warnings

import torch
import transformers

import yarncore as yc
from yarncore.transformers import rotary
from yarncore.transformers.dynamic import hooks, one_forward, tracked_cache
from yarncore.transformers.handed import Handed

from shared.decoders import extended, llama
from shared.interleaved import microseconds, print_table

CLOCKED = (
    (Handed, "rotate"),
    (one_forward.Followed, "rotate"),
    (rotary.RotaryModule, "handed"),
    (hooks.CacheFollower, "before"),
    (hooks.CacheFollower, "after"),
    (tracked_cache, "bring_to"),
    (tracked_cache, "read"),
)


class Clock:
    """The time spent inside some calls, outermost ones counted once."""

    def __init__(self):
        self.seconds = 0.0
        self.depth = 0

    def around(self, call):
        def timed(*args, **kwargs):
            self.depth += 1
            start = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self.depth -= 1
                if not self.depth:
                    self.seconds += time.perf_counter() - start

        return timed

    def install(self):
        for owner, name in CLOCKED:
            setattr(owner, name, self.around(getattr(owner, name)))


def ways(original):
    """Name -> scaling and the other arguments of extend."""
    stepped = yc.DynamicYaRN(original)
    return {
        "static YaRN": (yc.YaRN(8.0, original), {}),
        "re-rotated at steps": (stepped, {}),
        "unrotated, rotated on read": (stepped, {"keys": "unrotated"}),
    }


@torch.inference_mode()
def token_times(original=64, layers=8, size=1024, ends=8):
    """Name -> for each token from L to ends * L: time inside rotation, and of the forward pass."""
    clock = Clock()
    clock.install()
    base = llama(original, layers, size)
    models = {name: extended(base, scaling, **how) for name, (scaling, how) in ways(original).items()}
    caches = {name: transformers.DynamicCache(config=base.config) for name in models}
    ids = torch.randint(0, 1024, (1, ends * original + 1))
    for name, model in models.items():
        model(ids[:, :original], cache=caches[name])
    found = {name: [] for name in models}
    for position in range(original, ends * original):
        for name, model in models.items():
            clock.seconds = 0.0
            start = time.perf_counter()
            model(ids[:, position : position + 1], cache=caches[name], logits_to_keep=1)
            found[name].append((clock.seconds, time.perf_counter() - start))
    return found, caches


def time_table(found):
    static = sum(inside for inside, _ in found["static YaRN"])
    whole_static = sum(whole for _, whole in found["static YaRN"])
    rows = []
    for name, times in found.items():
        inside, whole = (list(column) for column in zip(*times, strict=True))
        rows.append(
            [
                name,
                microseconds(statistics.median(inside)),
                microseconds(max(inside)),
                microseconds(sum(inside) / len(inside)),
                f"{sum(inside) / static:.2f}",
                f"{sum(inside) / sum(whole):.2%}",
                microseconds(statistics.median(whole)),
                f"{sum(whole) / whole_static:.2f}",
            ]
        )
    return rows


def bytes_of(cache):
    """Of keys and values, and of what is kept beside them."""
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    record = getattr(cache, "_record", None)
    return held, 0 if record is None else record.positions().nbytes


def memory_table(caches):
    rows = []
    for name, cache in caches.items():
        held, beside = bytes_of(cache)
        keys = cache.layers[0].keys
        pairs, tokens = keys.shape[-1] // 2, keys.shape[-2]
        passing = {
            "static YaRN": 0,
            "re-rotated at steps": 8 * pairs * tokens,
            "unrotated, rotated on read": keys.nbytes,
        }[name]
        rows.append([name, f"{held:,}", f"{beside:,}", f"{passing:,}"])
    return rows


def test_a_token(benchmark):
    model = extended(llama(32, 2, 64, 4), yc.DynamicYaRN(32))
    cache = transformers.DynamicCache(config=model.config)
    benchmark(lambda: model(torch.tensor([[3]]), cache=cache))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    yc.set_num_threads(1)
    found, caches = token_times()
    columns = ["", "rotation, median", "largest", "mean", "of static's", "share", "token, median", "all, of static's"]
    print_table("L = 64, tokens 64 to 512, one a forward", columns, time_table(found))
    columns = ["after 512 tokens", "keys and values", "kept beside", "made and dropped"]
    print_table("Bytes of one row", columns, memory_table(caches))
