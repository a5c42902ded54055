"""DeepSeek-V4 has one array for keys and values, so values are turned as keys are: attention's output is turned back.

With R(p) the rotation by a position and w the weights of attention, the output of query i is sum_j w_ij R(p_j) x_j. Turned back
by its own position it is sum_j w_ij R(p_j - p_i) x_j: what a token gives depends on its distance alone, as the weights do.

transformers (models/deepseek_v4/modeling_deepseek_v4.py) turns back by cos and -sin, which is `rotation.adjoint`. It equals
`rotation.inverse` because these models have the attention factor 1: with a factor m on keys, the inverse takes it out of the
output, and the adjoint puts it in once more.

Run: python examples/attention_output_turned_back.py
"""

import torch

import yarncore as yc

rope = yc.Rope(
    head_dim=64,
    base=160_000.0,
    scaling=yc.YaRN(16.0, 4096, attention_factor=1.0),
    rotary_dim=16,
    rotary_start=48,
    interleaved=True,
)


def weights_of(q, x, positions):
    """Causal weights (heads, queries, tokens), and x rotated; x has one head."""
    q, x = rope.rotate(q, x, positions, heads_axis=-3)
    logits = q @ x.transpose(-2, -1) / q.shape[-1] ** 0.5
    causal = torch.ones(logits.shape[-2:], dtype=torch.bool).tril()
    return logits.masked_fill(~causal, -torch.inf).softmax(-1), x


def attention(q, x, positions):
    """What attention gives the rest of the layer: weighted values, turned back by the position of the query."""
    weights, rotated = weights_of(q, x, positions)
    return rope.at().inverse.rotate(weights @ rotated, None, positions, heads_axis=-3)


def by_distances(q, x, positions):
    """The same by its meaning: for each query, every token's values turned by its distance to the query."""
    weights, _ = weights_of(q, x, positions)
    turned = torch.stack([rope.rotate(x, None, positions - position, heads_axis=-3)[0] for position in positions])
    return torch.einsum("hij,ijd->hid", weights, turned)


torch.manual_seed(0)
q, x = torch.randn(4, 24, 64, dtype=torch.float64), torch.randn(1, 24, 64, dtype=torch.float64)
positions = torch.arange(24)
turned_back = attention(q, x, positions)
meant = by_distances(q, x, positions)
moved = attention(q, x, positions + 500_000)

if __name__ == "__main__":
    print(f"turned back, and by distances:        {(turned_back - meant).abs().max():.1e}")
    print(f"the same at positions 500,000 beyond: {(turned_back - moved).abs().max():.1e}")
