"""A GGUF file that was written here, run in llama.cpp beyond the original length: the logits are those of transformers.

python tests/engines/gguf_logits.py                    makes an environment for llama.cpp, and writes gguf_logits.json
python tests/engines/gguf_logits.py --python PATH      an environment that has it already

A tiny random model in float32 is written as a plain file, with the gguf package; the scaling is put into it by yc.to_config.
The same weights run in transformers with the scaling in their configuration.
"""

import argparse
import contextlib
import datetime
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
import transformers

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from run import environment  # noqa: E402

import yarncore as yc  # noqa: E402

RESULT = HERE / "gguf_logits.json"
PACKAGES = ("numpy", "cffi", "llama-cpp-py-sync==0.11548", "xllamacpp==2026.10.11549")
HEADS, HEAD_DIM, WIDTH, LAYERS, WORDS, FEED = 2, 64, 128, 2, 64, 96
ORIGINAL, TOKENS, BASE = 256, 600, 10_000.0


@dataclass(frozen=True)
class Case:
    """A type of model and what its rotation becomes.

    Attributes
    ----------
    before : Scaling or None
        What the file has before: a value of equal length is changed in place.
    """

    model_type: str
    scaling: Any
    before: Any = None


def _yarn(factor: float = 4.0, **more: Any) -> yc.YaRN:
    return yc.YaRN(factor, ORIGINAL, **more)


CASES = {
    "llama, YaRN": Case("llama", _yarn()),
    "llama, YaRN in place of another": Case("llama", _yarn(4.0), _yarn(2.0)),
    "llama, YaRN without temperature": Case("llama", _yarn(attention_factor=1.0)),
    "llama, linear": Case("llama", yc.PositionInterpolation(4.0)),
    "qwen3, YaRN": Case("qwen3", _yarn()),
    "qwen3, YaRN, s = 16": Case("qwen3", _yarn(16.0)),
}


def rope_of(case: Case, scaling: Any) -> yc.Rope:
    """In llama.cpp's files of Llama the elements of a pair stand side by side."""
    return yc.Rope(HEAD_DIM, BASE, scaling, interleaved=case.model_type == "llama")


def _model(case: Case) -> Any:
    torch.manual_seed(1)
    shape = {
        "vocab_size": WORDS, "hidden_size": WIDTH, "intermediate_size": FEED, "num_hidden_layers": LAYERS, "head_dim": HEAD_DIM,
        "num_attention_heads": HEADS, "num_key_value_heads": 1, "max_position_embeddings": ORIGINAL, "initializer_range": 0.15,
        "rope_parameters": {"rope_type": "default", "rope_theta": BASE}, "tie_word_embeddings": False,
        "attn_implementation": "eager",
    }  # fmt: skip
    config = transformers.AutoConfig.for_model(case.model_type, **shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", yc.ConfigWarning)
        scaled = yc.to_config(yc.Rope(HEAD_DIM, BASE, case.scaling), config=config.to_dict())
    made = transformers.AutoModelForCausalLM.from_config(type(config).from_dict(scaled), dtype=torch.float32)
    return made.eval()


def _tensors(model: Any, interleaved: bool) -> Iterator[tuple[str, np.ndarray]]:
    names = {
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
        "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    }  # fmt: skip
    whole = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    for name, tensor in model.state_dict().items():
        own = name.removesuffix(".weight")
        data = tensor.numpy()
        if own in whole:
            yield f"{whole[own]}.weight", data
            continue
        _, _, layer, rest = own.split(".", 3)
        if interleaved and rest in ("self_attn.q_proj", "self_attn.k_proj"):  # the halves of a head, element by element
            data = data.reshape(-1, 2, HEAD_DIM // 2, WIDTH).swapaxes(1, 2).reshape(data.shape)
        yield f"blk.{layer}.{names[rest]}.weight", np.ascontiguousarray(data)


def write_file(path: Path, case: Case, tensors: Iterable[tuple[str, np.ndarray]] = ()) -> dict[str, Any]:
    """A plain file by the gguf package, and our scaling put into it; the key-values that were changed."""
    writer = gguf.GGUFWriter(str(path), case.model_type)
    writer.add_context_length(ORIGINAL)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1)
    writer.add_key_length(HEAD_DIM)
    writer.add_value_length(HEAD_DIM)
    writer.add_rope_dimension_count(HEAD_DIM)
    writer.add_rope_freq_base(BASE)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(WORDS)
    writer.add_tokenizer_model("none")
    for name, data in tensors:
        writer.add_tensor(name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if case.before is not None:
        yc.to_config(rope_of(case, case.before), "gguf", path=path)
    changed: dict[str, Any] = yc.to_config(rope_of(case, case.scaling), "gguf", path=path)
    return changed


def measure(python: str) -> dict[str, Any]:
    """Every case in both, and the largest difference of logits at positions within and beyond the original length."""
    tokens = np.random.default_rng(3).integers(0, WORDS, TOKENS).tolist()
    records: dict[str, dict[str, Any]] = {}
    expected = {}
    with tempfile.TemporaryDirectory(prefix="gguf-") as folder:
        files = {name: str(Path(folder) / f"{number}.gguf") for number, name in enumerate(CASES)}
        for name, case in CASES.items():
            model = _model(case)
            with torch.no_grad():
                expected[name] = model(torch.tensor([tokens])).logits[0].numpy()
            changed = write_file(Path(files[name]), case, _tensors(model, case.model_type == "llama"))
            records[name] = {"rope": repr(rope_of(case, case.scaling)), "changed": changed}
        done = subprocess.run(
            [python, str(HERE / "llama_cpp_inside.py")], input=json.dumps({"files": list(files.values()), "tokens": tokens}),
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        found = {name: np.load(path + ".npy") for name, path in files.items()}
    for name, record in records.items():
        off = np.abs(found[name] - expected[name]).max(axis=1)
        others = [
            one
            for one in CASES
            if CASES[one].model_type == CASES[name].model_type and records[one]["rope"] != record["rope"]
        ]
        record |= {
            "within": float(off[:ORIGINAL].max()),
            "beyond": float(off[ORIGINAL:].max()),
            "from the nearest other scaling": min(float(np.abs(found[one] - found[name]).max()) for one in others),
        }
    versions = {
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        **json.loads(done.stdout)["versions"],
    }
    return {
        "date": datetime.date.today().isoformat(), "versions": versions, "original length": ORIGINAL, "tokens": TOKENS,
        "records": records,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="the interpreter of an environment that has llama.cpp already")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", yc.ConfigWarning)
    with contextlib.nullcontext(arguments.python) if arguments.python else environment(PACKAGES) as python:
        found = measure(python)
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    for name, record in found["records"].items():
        print(
            f"{name}: logits differ by {record['within']:.1e} within {ORIGINAL} tokens, {record['beyond']:.1e} beyond"
        )
    return int(any(record["beyond"] >= 1e-3 for record in found["records"].values()))


if __name__ == "__main__":
    sys.exit(main())
