"""How much faster is it than what transformers does, eager and compiled?

transformers is given its cos and sin ready; only its apply_rotary_pos_emb is timed.
Run: python benchmarks/how_much_faster_than_peers.py
"""

import pytest
import torch
from interleaved import medians, microseconds, print_table
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

import yarncore as yc

ROPE = yc.Rope(128)
ROTATION = ROPE.at()


def inputs(tokens, dtype=torch.float32):
    q, k = (torch.randn(1, heads, tokens, 128).to(dtype) for heads in (32, 8))
    cos, sin = (torch.cat([t, t], -1).to(dtype) for t in ROPE.cos_sin(torch.arange(tokens)[None]))
    return q, k, cos, sin


def main():
    torch.set_num_threads(yc.get_num_threads())
    compiled = torch.compile(apply_rotary_pos_emb, dynamic=True)
    rows = []
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        for tokens in (1, 512, 4096):
            q, k, cos, sin = inputs(tokens, dtype)
            with torch.inference_mode():
                times = medians(
                    {
                        "in place": lambda q=q, k=k: ROTATION.rotate_(q, k, None, heads_axis=-3),
                        "fresh": lambda q=q, k=k: ROTATION.rotate(q, k, None, heads_axis=-3),
                        "eager": lambda q=q, k=k, c=cos, s=sin: apply_rotary_pos_emb(q, k, c, s),
                        "compiled": lambda q=q, k=k, c=cos, s=sin: compiled(q, k, c, s),
                    }
                )
            ours = times["in place"][0]
            rows.append([
                f"{name}, {tokens} tokens", microseconds(ours), microseconds(times["fresh"][0]),
                *(f"{times[peer][0] / ours:.1f} x" for peer in ("eager", "compiled")),
                *(f"{times[peer][0] / times['fresh'][0]:.1f} x" for peer in ("eager", "compiled")),
            ])  # fmt: skip
    print_table(
        "q (1, 32, S, 128) and k (1, 8, S, 128), torch: ours, and how many times as long transformers takes",
        ["", "in place", "fresh", "eager / in place", "compiled / in place", "eager / fresh", "compiled / fresh"],
        rows,
    )


@pytest.mark.parametrize("tokens", [1, 512])
def test_transformers_eager(benchmark, tokens):
    q, k, cos, sin = inputs(tokens)
    benchmark(lambda: apply_rotary_pos_emb(q, k, cos, sin))


@pytest.mark.parametrize("tokens", [1, 512])
def test_ours_in_the_same_layout(benchmark, tokens):
    q, k, _, _ = inputs(tokens)
    benchmark(lambda: ROTATION.rotate_(q, k, None, heads_axis=-3))


if __name__ == "__main__":
    main()
