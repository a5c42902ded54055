"""What others do to a model before and after: types, devices, adapters, hooks, checkpoints of activations, compilers."""

import copy

import accelerate
import peft
import pytest
import torch
from loaded import LENGTH, YARN, loaded, logits, noise, tokens

import yarncore as yc
from yarncore.transformers import extend, restore


def pair(model_type="llama", **keys):
    """A model with transformers' YaRN, and one of the same weights that is extended to the same."""
    theirs = loaded(model_type, **keys, rope_parameters=YARN, max_position_embeddings=4 * LENGTH)
    ours = loaded(model_type, **keys)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("cast_first", [True, False])
def test_a_16_bit_model_is_as_near_to_float64_as_the_one_of_transformers(dtype, cast_first):
    theirs, ours = pair()
    exact = logits(copy.deepcopy(theirs).double())
    if cast_first:
        ours = ours.to(dtype)
    extend(ours, factor=4)
    found = logits(ours.to(dtype)).double()
    # Theirs before a cast rounds its frequencies: it is given what it was configured with.
    rounded = theirs.to(dtype)
    rounded.model.rotary_emb.inv_freq = loaded(rope_parameters=YARN).model.rotary_emb.inv_freq
    assert (found - exact).square().mean() < 1.1 * (logits(rounded).double() - exact).square().mean()


def test_a_cast_after_the_extension_and_a_restoration_is_a_cast():
    cast, ours = loaded().to(torch.bfloat16), loaded()
    extend(ours, factor=4)
    ours.to(torch.bfloat16)
    restore(ours)
    assert torch.equal(logits(ours), logits(cast))


def test_a_model_on_the_meta_device_is_extended_and_filled_afterwards():
    theirs, _ = pair()
    with torch.device("meta"):
        ours = loaded()
    report = extend(ours, factor=4)
    assert report.rotation == "fused" and report.cache_bytes
    ours.to_empty(device="cpu").load_state_dict(theirs.state_dict())
    assert (logits(ours) - logits(theirs)).abs().max() < noise(logits(theirs))


# peft 0.21 asks transformers 5.24 by a name that is deprecated there.
of_peft = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def adapted(model):
    config = peft.LoraConfig(target_modules=["q_proj", "k_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    torch.manual_seed(5)
    return peft.get_peft_model(model, config).eval()


@of_peft
def test_an_adapted_model_is_extended_and_restored_through_its_adapter():
    theirs, ours = pair()
    theirs, ours = adapted(theirs), adapted(ours)
    before = logits(ours)
    extend(ours, factor=4)
    assert (logits(ours) - logits(theirs)).abs().max() < noise(logits(theirs))
    restore(ours)
    assert torch.equal(logits(ours), before)


@of_peft
def test_an_extended_model_is_adapted_afterwards():
    theirs, ours = pair()
    extend(ours, factor=4)
    theirs, ours = adapted(theirs), adapted(ours)
    assert (logits(ours) - logits(theirs)).abs().max() < noise(logits(theirs))
    restore(ours)


@pytest.mark.parametrize("hooked_first", [True, False])
def test_a_model_that_accelerate_has_hooked_keeps_its_hooks(hooked_first):
    theirs, ours = pair()
    seen = []

    class Watching(accelerate.hooks.ModelHook):
        def pre_forward(self, module, *args, **kwargs):
            seen.append(module)
            return args, kwargs

    def hook():
        for layer in ours.model.layers:
            accelerate.hooks.add_hook_to_module(layer.self_attn, Watching())

    if hooked_first:
        hook()
    extend(ours, factor=4)
    if not hooked_first:
        hook()
    assert (logits(ours) - logits(theirs)).abs().max() < noise(logits(theirs))
    assert seen == [layer.self_attn for layer in ours.model.layers]
    restore(ours)
    plain = loaded()
    plain.load_state_dict(theirs.state_dict())
    assert torch.equal(logits(ours), logits(plain))
    assert len(seen) == 4


@pytest.mark.parametrize("dispatched_first", [True, False])
def test_a_dispatched_model_gets_its_positions_on_each_device(dispatched_first, tmp_path):
    theirs, ours = pair()
    devices = {"model.embed_tokens": "cpu", "model.layers.0": "cpu", "model.layers.1": "disk", "model.norm": "cpu",
               "model.rotary_emb": "cpu", "lm_head": "cpu"}  # fmt: skip
    if not dispatched_first:
        extend(ours, factor=4)
    ours = accelerate.dispatch_model(ours, devices, main_device="cpu", offload_dir=tmp_path)
    if dispatched_first:
        extend(ours, factor=4)
    assert (logits(ours) - logits(theirs)).abs().max() < noise(logits(theirs))


def gradients(model):
    model.train()
    model(tokens(24), labels=tokens(24)).loss.backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("checkpointed", [False, True])
def test_gradients_are_those_of_transformers(checkpointed):
    theirs, ours = pair()
    extend(ours, factor=4)
    if checkpointed:
        ours.activation_checkpointing_enable()
    wanted, found = gradients(theirs), gradients(ours)
    for name, gradient in wanted.items():
        assert (found[name] - gradient).abs().max() < 1e-4 * gradient.abs().max(), name


def test_the_forward_pass_is_one_graph_whatever_the_length():
    _, ours = pair()
    extend(ours, factor=4)
    wanted = [logits(ours, tokens(count)) for count in (40, 50, 60)]
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph

    torch.compiler.reset()
    compiled = torch.compile(ours, fullgraph=True, backend=backend)
    for count, expected in zip((40, 50, 60), wanted):
        assert (logits(compiled, tokens(count)) - expected).abs().max() < noise(expected)
    assert len(graphs) == 2  # the first length, then any


def test_decoding_with_a_static_cache_compiles():
    _, ours = pair()
    extend(ours, factor=4)
    torch.compiler.reset()
    how = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    wanted = ours.generate(tokens(20), **how)
    compiled = transformers_compile(backend="aot_eager", fullgraph=True)
    found = ours.generate(tokens(20), cache_implementation="static", compile_config=compiled, **how)
    assert torch.equal(found, wanted)


def transformers_compile(**how):
    from transformers import CompileConfig

    config = CompileConfig(dynamic=None, mode=None, **how)
    config._compile_all_devices = True  # generate compiles on accelerators only, unless told
    return config


class EightBits(torch.nn.Module):
    """A linear layer whose weights are integers and a scale."""

    def __init__(self, linear):
        super().__init__()
        scale = linear.weight.detach().abs().amax(1, keepdim=True) / 127
        self.register_buffer("scale", scale)
        self.register_buffer("weight", (linear.weight.detach() / scale).round().to(torch.int8))

    def forward(self, x):
        return torch.nn.functional.linear(x, self.weight * self.scale)


def test_quantised_weights_are_no_concern_of_the_rotation():
    theirs, ours = pair()
    for model in (theirs, ours):
        for layer in model.model.layers:
            for name in ("q_proj", "k_proj", "v_proj"):
                setattr(layer.self_attn, name, EightBits(getattr(layer.self_attn, name)))
    report = extend(ours, factor=4)
    assert report.cache_bytes == extend(loaded(), factor=4).cache_bytes
    assert (logits(ours) - logits(theirs)).abs().max() < noise(logits(theirs))


def test_one_model_with_another_scaling_each():
    models = [loaded(), loaded(), loaded()]
    scalings = [None, yc.YaRN(4.0, LENGTH), yc.NTKAware(3.0)]
    alone = []
    for scaling in scalings:
        model = loaded()
        extend(model, scaling)
        alone.append(logits(model))
    for model, scaling in zip(models, scalings):
        extend(model, scaling)
    assert all(torch.equal(logits(model), wanted) for model, wanted in zip(models, alone))
