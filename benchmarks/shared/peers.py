"""What others do for the same rotation, each given its cos and sin (or its table) ready."""

import functools

import numpy as np
import torch
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from shared.workload import DIM, HEADS, KEY_HEADS, ROPE, tensors

try:
    import onnxruntime
    from onnx import TensorProto, helper
except ImportError:
    onnxruntime = None
try:
    import rotary_embedding_torch
except ImportError:
    rotary_embedding_torch = None


def _complex_numbers(q, k, turns):
    """The form of Meta's Llama: pairs as complex numbers, (batch, seq, heads, dim)."""
    return tuple(
        torch.view_as_real(torch.view_as_complex(x.float().unflatten(-1, (-1, 2))) * turns).flatten(-2).to(x.dtype)
        for x in (q, k)
    )


@functools.cache
def compiled_apply_rotary():
    """transformers' apply_rotary_pos_emb under torch.compile."""
    return torch.compile(apply_rotary_pos_emb, dynamic=True)


def torch_tables(tokens, dtype):
    """cos and sin as transformers takes them: (1, tokens, DIM), the halves repeated."""
    return [torch.cat([t, t], -1) for t in ROPE.cos_sin(torch.arange(tokens)[None], dtype=dtype)]


def torch_peers(tokens, dtype):
    """transformers' apply_rotary_pos_emb, eager and compiled, Meta's complex form and rotary-embedding-torch."""
    q, k = tensors(tokens, dtype, heads_first=True)
    cos, sin = torch_tables(tokens, dtype)
    flat = tensors(tokens, dtype)
    turns = torch.polar(torch.ones(tokens, 1, DIM // 2), torch.rand(tokens, 1, DIM // 2))
    peers = {
        "transformers eager": lambda: apply_rotary_pos_emb(q, k, cos, sin),
        "transformers compiled": lambda: compiled_apply_rotary()(q, k, cos, sin),
        "torch complex": lambda: _complex_numbers(*flat, turns),
    }
    if rotary_embedding_torch is not None:
        module = rotary_embedding_torch.RotaryEmbedding(DIM)
        peers["rotary-embedding-torch"] = lambda: [module.rotate_queries_or_keys(x) for x in (q, k)]
    return peers


def _onnx_session(element, heads, tokens):
    node = helper.make_node("RotaryEmbedding", ["x", "positions", "cos", "sin"], ["y"], domain="com.microsoft")
    value = helper.make_tensor_value_info
    inputs = [
        value("x", element, [1, heads, tokens, DIM]), value("positions", TensorProto.INT64, [1]),
        value("cos", element, [tokens, DIM // 2]), value("sin", element, [tokens, DIM // 2]),
    ]  # fmt: skip
    graph = helper.make_graph([node], "rotation", inputs, [value("y", element, [1, heads, tokens, DIM])])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def onnx_peers(tokens, name):
    """onnxruntime's RotaryEmbedding with its inputs and results bound beforehand; float32 and float16."""
    if onnxruntime is None or name not in ("float32", "float16"):
        return {}
    dtype = np.dtype(name)
    element = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}[name]
    cos, sin = (t.astype(dtype) for t in ROPE.cos_sin(np.arange(tokens)))
    bound = []
    for heads in (HEADS, KEY_HEADS):
        session = _onnx_session(element, heads, tokens)
        binding = session.io_binding()
        feeds = {
            "x": np.ones((1, heads, tokens, DIM), dtype),
            "positions": np.zeros(1, np.int64),
            "cos": cos,
            "sin": sin,
        }
        for key, array in feeds.items():
            binding.bind_ortvalue_input(key, onnxruntime.OrtValue.ortvalue_from_numpy(array))
        result = onnxruntime.OrtValue.ortvalue_from_numpy(np.empty((1, heads, tokens, DIM), dtype))
        binding.bind_ortvalue_output("y", result)
        bound.append((session, binding))

    def run():
        for session, binding in bound:
            session.run_with_iobinding(binding)

    return {"onnxruntime": run}


def jax_peers(tokens, name):
    """The usual cos and sin formulation under jax.jit."""
    import jax
    import jax.numpy as jnp

    q, k = (jnp.ones((1, heads, tokens, DIM), name) for heads in (HEADS, KEY_HEADS))
    cos, sin = (jnp.asarray(np.concatenate([t, t], -1)).astype(name) for t in ROPE.cos_sin(np.arange(tokens)))

    def half_turned(x):
        return jnp.concatenate([-x[..., DIM // 2 :], x[..., : DIM // 2]], -1)

    apply = jax.jit(lambda q, k: tuple(x * cos + half_turned(x) * sin for x in (q, k)))
    return {"jax.jit": lambda: jax.block_until_ready(apply(q, k))}
