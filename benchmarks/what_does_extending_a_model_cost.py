"""What does extending a model cost, and which part of a forward pass is rotation, before and after?

A clock around the calls of the rotary module and of the rotation function, in the model as transformers has it and in one
that is extended, in turns; the share is the median of their time over that of the forward pass. 8 layers of 1,024, 16 heads
of q and 8 of k, float32, one thread. And `extend` on a skeleton of 32 layers on the meta device.
Run: python benchmarks/what_does_extending_a_model_cost.py
"""

import statistics
import time
import warnings

import torch
import transformers

from yarncore.transformers import extend, restore
from yarncore.transformers.methods import RedirectedMethod

from shared.interleaved import microseconds, print_table

_YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096, "rope_theta": 10_000.0}
_NAME = "apply_rotary_pos_emb"


class Clock:
    """The time spent inside some calls."""

    def __init__(self):
        self.seconds = 0.0

    def around(self, call):
        def timed(*args, **kwargs):
            start = time.perf_counter()
            result = call(*args, **kwargs)
            self.seconds += time.perf_counter() - start
            return result

        return timed


def llama(layers=8, size=1024, **keys):
    config = transformers.LlamaConfig(
        vocab_size=1024, hidden_size=size, intermediate_size=4 * size, num_hidden_layers=layers, num_attention_heads=16,
        num_key_value_heads=8, max_position_embeddings=4096, attn_implementation="sdpa", **keys,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval()


def timed(model, clock):
    """The model with a clock around all that rotates."""
    inner = model.model
    inner.rotary_emb.forward = clock.around(inner.rotary_emb.forward)
    for layer in inner.layers:
        attention = layer.self_attn
        own = vars(attention).get("forward")
        function = own.functions[_NAME] if own else transformers.models.llama.modeling_llama.apply_rotary_pos_emb
        attention.forward = RedirectedMethod(attention, "forward", {_NAME: clock.around(function)})
    return model


def competitors(layers=8, size=1024):
    """Name -> model and its clock."""
    torch.manual_seed(0)
    theirs = llama(layers, size, rope_parameters=_YARN)
    ours = llama(layers, size)
    ours.load_state_dict(theirs.state_dict())
    extend(ours, factor=4)
    clocks = Clock(), Clock()
    return {"transformers": (timed(theirs, clocks[0]), clocks[0]), "extended": (timed(ours, clocks[1]), clocks[1])}


def once(model, clock, ids, cache):
    """Time inside rotation, and of the whole forward pass."""
    clock.seconds = 0.0
    start = time.perf_counter()
    with torch.inference_mode():
        model(ids, cache=cache, use_cache=cache is not None, logits_to_keep=1)
    return clock.seconds, time.perf_counter() - start


def shares(models, tokens, before, rounds):
    """For each model the medians of time inside rotation and of the forward pass of `tokens` after `before` others."""
    ids = torch.randint(0, 1024, (1, before + tokens))
    samples = {name: [] for name in models}
    caches = {name: transformers.DynamicCache(config=model.config) for name, (model, _) in models.items()}
    for name, (model, clock) in models.items():
        if before:
            once(model, clock, ids[:, :before], caches[name])
    for _ in range(rounds):
        for name, (model, clock) in models.items():
            samples[name].append(once(model, clock, ids[:, before:], caches[name] if before else None))
    return {
        name: [statistics.median(column) for column in zip(*values, strict=True)] for name, values in samples.items()
    }


def table(layers=8, size=1024, rounds=41):
    torch.set_num_threads(1)
    models = competitors(layers, size)
    rows = []
    for title, tokens, before, count in (
        ("decode, 1 token after 512", 1, 512, rounds),
        ("prefill, 512 tokens", 512, 0, rounds // 8 + 1),
    ):
        for name, (inside, whole) in shares(models, tokens, before, count).items():
            rows.append([title, name, microseconds(inside), microseconds(whole), f"{inside / whole:.2%}"])
    return rows


def seconds_to_extend(rounds=9):
    """The median time of extending a skeleton of 32 layers, and that of the first time in this process."""
    with torch.device("meta"):
        model = llama(32, 4096)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        extend(model, factor=4)
        times.append(time.perf_counter() - start)
        restore(model)
    return statistics.median(times), times[0]


def test_decoding(benchmark):
    models = competitors(2, 64)
    benchmark(lambda: [once(model, clock, torch.tensor([[3]]), None) for model, clock in models.values()])


def test_extending(benchmark):
    benchmark(lambda: seconds_to_extend(1))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    usual, first = seconds_to_extend()
    print_table("Time inside rotation", ["", "", "rotation", "forward", "share"], table())
    print(f"extend on 32 layers, meta device: {microseconds(usual)}, the first time {microseconds(first)}")
