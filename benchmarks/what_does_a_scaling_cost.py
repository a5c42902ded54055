"""What does it cost to resolve a Rope, once and at a new length?

Run: python benchmarks/what_does_a_scaling_cost.py
"""

import itertools

import pytest

import yarncore as yc

from shared.interleaved import medians, microseconds, print_table

L = 4096
SCALINGS = {
    "plain": None,
    "PositionInterpolation": yc.PositionInterpolation(16),
    "NTKAware": yc.NTKAware(16),
    "YaRN": yc.YaRN(16, L),
    "Llama3": yc.Llama3(8, L),
    "DynamicNTK": yc.DynamicNTK(L, 2),
    "DynamicYaRN": yc.DynamicYaRN(L),
    "DynamicYaRN, doubling": yc.DynamicYaRN(L, steps="doubling", max_factor=64),
}
fresh_lengths = itertools.count(L + 1)


def main():
    rows = []
    for name, scaling in SCALINGS.items():
        rope = yc.Rope(128, scaling=scaling)
        times = medians({
            "new": lambda scaling=scaling: yc.Rope(128, scaling=scaling),
            "at": lambda rope=rope: rope.at(next(fresh_lengths)),
            "again": lambda rope=rope: rope.at(9000),
        }, 0.5)  # fmt: skip
        rows.append([name, *(microseconds(times[key][0]) for key in ("new", "at", "again"))])
    print_table("head_dim 128", ["", "Rope(...)", "at(a new length)", "at(a known length)"], rows)


@pytest.mark.parametrize("name", SCALINGS)
def test_rope(benchmark, name):
    benchmark(lambda: yc.Rope(128, scaling=SCALINGS[name]))


@pytest.mark.parametrize("name", SCALINGS)
def test_at_a_new_length(benchmark, name):
    rope = yc.Rope(128, scaling=SCALINGS[name])
    benchmark(lambda: rope.at(next(fresh_lengths)))


if __name__ == "__main__":
    main()
