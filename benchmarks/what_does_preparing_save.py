"""What does it save to prepare positions once for all layers?

The same tokens in place: rows prepared, rows made in the call, and a C++ pass over the same bytes that only scales them. Then
the keys of a whole cache re-rotated from one scale to another.
Run: python benchmarks/what_does_preparing_save.py [--layers 32]
"""

import argparse

import torch

import yarncore as yc

from shared.interleaved import machine, medians, print_table
from shared.limits import limit
from shared.limits import passes as scaling_passes

STEPPED = yc.Rope(128, scaling=yc.DynamicYaRN(4096, steps="doubling"))
TYPES = (torch.float32, torch.bfloat16, torch.float16)
COLUMNS = ["heads, dtype", "prepared", "of a scale pass", "made in the call", "of a scale pass"]


def passes(keys, prepared, rotation, positions):
    """Three passes over keys of shape (1, heads, tokens, 128), or over several of them."""
    return {
        "prepared": lambda: [prepared.rotate_(x, None, heads_axis=-3) for x in keys],
        "plain": lambda: [rotation.rotate_(x, None, positions, heads_axis=-3) for x in keys],
    } | scaling_passes(keys, [], [], yc.get_num_threads())


def row(name, keys, rotation, positions, unit, seconds=1.5):
    prepared = rotation.prepare(positions)
    times = medians(passes(keys, prepared, rotation, positions), seconds)
    scale, (word, factor) = limit(times, "scale"), unit
    cells = [[f"{times[way][0] * factor:.3g} {word}", f"{times[way][0] / scale:.2f}"] for way in ("prepared", "plain")]
    return [name, *cells[0], *cells[1]]


def one_layer(tokens=4096):
    positions = torch.arange(tokens)[None]
    return [
        row(
            f"{heads}, {str(dtype)[6:]}",
            [torch.randn(1, heads, tokens, 128).to(dtype)],
            STEPPED.at(),
            positions,
            ("us", 1e6),
        )
        for heads in (1, 2, 8, 40)
        for dtype in TYPES
    ]


def whole_cache(layers, tokens=32768):
    positions, change = torch.arange(tokens)[None], STEPPED.at(32768) @ STEPPED.at(16384).inverse
    keys = [torch.randn(1, 8, tokens, 128).to(torch.bfloat16) for _ in range(layers)]
    return [row(f"{layers} layers of 8, bfloat16", keys, change, positions, ("ms", 1e3), seconds=20)]


def test_prepared(benchmark):
    x, prepared = torch.randn(1, 8, 4096, 128), STEPPED.at().prepare(torch.arange(4096)[None])
    benchmark(lambda: prepared.rotate_(x, None, heads_axis=-3))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=32, help="of the cache; 64 MiB each")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    yc.set_num_threads(options.threads)
    print(machine())
    print_table("4096 tokens of 128 elements in place", COLUMNS, one_layer())
    print_table("keys of 32768 tokens, from one step to the next", COLUMNS, whole_cache(options.layers))
