"""Settings that people had and reported, reduced to their keys, each beside the corrected one.

Threads as in the field's trackers (repository#number); "run" is a trap that was found by running the engine
(tests/goldens/engines_executed.json).
"""

from typing import Any, NamedTuple

_SHAPE = {
    "head_dim": 128,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_hidden_layers": 4,
}
_YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
_BETAS = {"beta_fast": 32.0, "beta_slow": 1.0}
_PHI3 = {"rope_type": "longrope", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48}
_TRAINED = {"original_max_position_embeddings": 4096}
_SAME = {"rope_type": "longrope", "short_factor": [4.0] * 64, "long_factor": [4.0] * 64}


class Mistake(NamedTuple):
    """A mistake, for whom, and how it is put right.

    Attributes
    ----------
    engine : str
        "" where the file itself is wrong.
    wrong, right : configuration, or command line
    words : regular expression
        Of the finding.
    config : the model's own configuration, for command lines
    """

    name: str
    thread: str
    engine: str
    wrong: Any
    right: Any
    words: str
    config: Any = None


def qwen3(rope: dict[str, Any] | None = None, length: int = 131072, **more: Any) -> dict[str, Any]:
    """Qwen3-8B, with a rope dict and what else is given."""
    scaled = {} if rope is None else {"rope_scaling": rope}
    return {"model_type": "qwen3", **_SHAPE, "rope_theta": 1000000, "max_position_embeddings": length, **scaled, **more}


def llama(rope: dict[str, Any] | None = None, length: int = 131072) -> dict[str, Any]:
    """Llama, with a rope dict."""
    return qwen3(rope, length) | {"model_type": "llama", "rope_theta": 500000.0}


def deepseek(**more: Any) -> dict[str, Any]:
    """DeepSeek-V3, with other keys in its rope dict; None takes one away."""
    rope = {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096, "beta_fast": 32, "beta_slow": 1,
            "mscale": 1.0, "mscale_all_dim": 1.0, **more}  # fmt: skip
    return {
        "model_type": "deepseek_v3", "num_attention_heads": 8, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128,
        "rope_theta": 10000, "max_position_embeddings": 163840,
        "rope_scaling": {key: value for key, value in rope.items() if value is not None},
    }  # fmt: skip


def gpt_oss(original: int) -> dict[str, Any]:
    """gpt-oss-20b with an original length."""
    rope = {
        "rope_type": "yarn",
        "factor": 32.0,
        "truncate": False,
        "original_max_position_embeddings": original,
        **_BETAS,
    }
    return {"model_type": "gpt_oss", "head_dim": 64, "num_attention_heads": 8, "hidden_size": 512, "rope_theta": 150000,
            "max_position_embeddings": 131072, "rope_scaling": rope}  # fmt: skip


def phi3(**more: Any) -> dict[str, Any]:
    """Phi-3 with LongRoPE."""
    return {"model_type": "phi3", "hidden_size": 3072, "num_attention_heads": 32, "rope_theta": 10000.0,
            "max_position_embeddings": 131072, "original_max_position_embeddings": 4096, "rope_scaling": _PHI3 | more}  # fmt: skip


def gguf(architecture: str = "qwen3", **rope: Any) -> dict[str, Any]:
    """The key-values of a file; keys of rope.scaling without their prefix."""
    length = rope.pop("context_length", 131072)
    values = {"general.architecture": architecture, f"{architecture}.context_length": length,
              f"{architecture}.attention.key_length": 128, f"{architecture}.rope.freq_base": 1000000.0,
              f"{architecture}.rope.dimension_count": 128}  # fmt: skip
    scaling = {"type": "yarn", "factor": 4.0, "original_context_length": 32768} | rope
    return values | {f"{architecture}.rope.scaling.{key}": value for key, value in scaling.items()}


PLAIN_GGUF = {key: value for key, value in gguf(context_length=32768).items() if ".scaling." not in key}
GEMMA = {
    "model_type": "gemma3_text", "head_dim": 256, "num_attention_heads": 4, "hidden_size": 1024, "max_position_embeddings": 131072,
    "layer_types": ["sliding_attention", "full_attention"],
}  # fmt: skip


def gemma(**beside: Any) -> dict[str, Any]:
    """Gemma 3 with an unrounded YaRN on its full layers."""
    full = {
        "rope_type": "yarn",
        "rope_theta": 1e6,
        "factor": 8.0,
        "original_max_position_embeddings": 16384,
        "truncate": False,
    }
    sliding = {"rope_type": "default", "rope_theta": 10000.0}
    return GEMMA | {"rope_parameters": {"full_attention": full, "sliding_attention": sliding, **beside}}


def vllm(override: str, length: int = 131072) -> str:
    """A command line of vLLM."""
    return f"vllm serve model --max-model-len {length} --hf-overrides '{override}'"


_INSIDE = '"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768'
_GOOD = vllm('{"rope_parameters": {' + _INSIDE + ', "rope_theta": 1000000}, "max_position_embeddings": 131072}')


def sglang(override: str) -> str:
    """A command line of SGLang."""
    return f"python -m sglang.launch_server --context-length 131072 --json-model-override-args '{override}'"


_GOOD_SGLANG = sglang('{"rope_scaling": {' + _INSIDE + '}, "max_position_embeddings": 131072}')

MISTAKES = (
    # The file itself
    Mistake("max_position_embeddings is still the original length", "vllm#8793", "", qwen3(_YARN, 32768), qwen3(_YARN), "will not go on to 131072"),
    Mistake("max_position_embeddings is that of the plain model", "vllm#8793", "", qwen3(_YARN, 40960), qwen3(_YARN), "is not max_position_embeddings = 40960"),
    Mistake("the original length is the target", "NeMo Speech#14686", "", gpt_oss(131072), gpt_oss(4096), "still 131072, the original length"),
    Mistake("factor contradicts the two lengths", "transformers#38224", "", qwen3(_YARN | {"factor": 2.0}), qwen3(_YARN), "their product 65536 is not"),
    Mistake("no original length", "transformers#38224", "", qwen3({"rope_type": "yarn", "factor": 4.0}), qwen3(_YARN), "original_max_position_embeddings is missing"),
    Mistake("mscale alone", "vllm#48351", "", deepseek(mscale_all_dim=None), deepseek(), "mscale is given alone"),
    Mistake("attn_factor, which some engines multiply by and others do not read", "DeepSeek-R1#684", "", qwen3(_YARN | {"attn_factor": 0.8782}), qwen3(_YARN), "attn_factor is 0.8782"),
    Mistake("betas exchanged", "torchtitan#4215", "", qwen3(_YARN | {"beta_fast": 1.0, "beta_slow": 32.0}), qwen3(_YARN | _BETAS), "exchanged"),
    Mistake("the name of another engine's key for the factor", "Megatron-LM#1418", "", qwen3(_YARN | {"scaling_factor": 4.0}), qwen3(_YARN), "scaling_factor is not understood"),
    Mistake("the name of GGUF's key for the original length", "llama.cpp#12468", "", qwen3(_YARN | {"original_context_length": 32768}), qwen3(_YARN), "original_context_length is not understood"),
    Mistake("a type that nobody has", "unsloth#7028", "", qwen3(_YARN | {"rope_type": "yarn2"}), qwen3(_YARN), "'yarn2'"),
    Mistake("a name of YaRN that only other engines know", "run", "", llama(_YARN | {"rope_type": "deepseek_yarn"}), llama(_YARN), "it fails: rope_scaling.rope_type is 'deepseek_yarn'"),
    Mistake("a factor without a type", "sglang#26187", "", qwen3({"factor": 4.0, "original_max_position_embeddings": 32768}), qwen3(_YARN), "rope_type is missing"),
    Mistake("a factor that is a string", "run", "", qwen3(_YARN | {"factor": "4.0"}), qwen3(_YARN), "factor is '4.0'"),
    Mistake("a factor below 1", "vllm#52665", "", qwen3(_YARN | {"factor": 0.25}), qwen3(_YARN), "factor is 0.25"),
    Mistake("two types that disagree", "run", "", qwen3(_YARN | {"type": "linear"}), qwen3(_YARN), "must agree"),
    Mistake("an original length above the advertised one", "NeMo Speech#14686", "", qwen3(_YARN | {"original_max_position_embeddings": 262144}), qwen3(_YARN), "a model is not trained on more than it advertises"),
    Mistake("an unrounded ramp of one layer type, where transformers does not look for it", "vllm#28244", "", gemma(), gemma(truncate=False), "full_attention: pair \\d+ turns"),
    Mistake("two bases that disagree", "run", "", qwen3(_YARN | {"rope_theta": 5e6}), qwen3(_YARN | {"rope_theta": 1e6}), "they must agree"),
    # Engines that read the file
    Mistake("SGLang drops attention_factor", "sglang#33558", "sglang", qwen3(_YARN | {"attention_factor": 1.0}), qwen3(_YARN), "attention_factor 1.13863 in place of 1"),
    Mistake("mlx-lm drops attention_factor", "mlx-lm#1507", "mlx-lm", qwen3(_YARN | {"attention_factor": 1.0}), qwen3(_YARN), "attention_factor 1.13863 in place of 1"),
    Mistake("llama.cpp's converter writes attention_factor where nothing reads it", "llama.cpp#17945", "llama.cpp", qwen3(_YARN | {"attention_factor": 1.0}), qwen3(_YARN), "attention_factor 1.13863 in place of 1"),
    Mistake("llama.cpp's converter writes betas where nothing reads them", "llama.cpp#13322", "llama.cpp", qwen3(_YARN | {"beta_fast": 16.0, "beta_slow": 2.0}), qwen3(_YARN | _BETAS), "pair \\d+ turns"),
    Mistake("llama.cpp's converter drops truncate", "llama.cpp#18013", "llama.cpp", qwen3(_YARN | {"truncate": False}), qwen3(_YARN), "pair \\d+ turns"),
    Mistake("llama.cpp's converter drops the dynamic method", "llama.cpp#18013", "llama.cpp", qwen3({"rope_type": "dynamic", "factor": 4.0}, 40960), qwen3(None, 40960), "pair \\d+ turns"),
    Mistake("llama.cpp's converter drops llama3 but for Llama", "llama.cpp#18013", "llama.cpp", qwen3({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}), llama({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}), "pair \\d+ turns 8 times"),
    Mistake("llama.cpp counts DeepSeek's temperature twice without mscale_all_dim", "llama.cpp#7118", "llama.cpp", deepseek(mscale=None, mscale_all_dim=None), deepseek(), "softmax_scale_factor 1.87385 in place of 1"),
    Mistake("mlx-lm never truncates otherwise", "mlx-lm#1507", "mlx-lm", gpt_oss(4096), qwen3(_YARN), "pair \\d+ turns"),
    Mistake("vLLM's dynamic method is plain RoPE", "vllm#41236", "vllm", qwen3({"rope_type": "dynamic", "factor": 4.0}, 40960), qwen3(None, 40960), "pair \\d+ turns"),
    Mistake("SGLang's dynamic method has one base for every length", "vllm#41236", "sglang", qwen3({"rope_type": "dynamic", "factor": 4.0}, 40960), qwen3(None, 40960), "pair \\d+ turns"),
    Mistake("vLLM takes one list of LongRoPE for every length", "vllm#27431", "vllm", qwen3(_SAME | {"short_factor": [1.0] * 64, **_TRAINED}), qwen3(_SAME | _TRAINED), "pair \\d+ turns"),
    Mistake("vLLM serves the original length of LongRoPE, where it stands beside the dict", "run", "vllm", qwen3(_SAME, **_TRAINED), qwen3(_SAME | _TRAINED), "131072 tokens, and 4096 are served"),
    Mistake("model_max_length in a config.json goes before max_position_embeddings in vLLM", "run", "vllm", qwen3(_YARN, model_max_length=32768), qwen3(_YARN), "131072 tokens, and 32768 are served"),
    Mistake("SGLang takes seq_length before max_position_embeddings", "run", "sglang", qwen3(_YARN, seq_length=32768), qwen3(_YARN), "131072 tokens, and 32768 are served"),
    Mistake("mlx-lm takes the long list always", "llama.cpp#24875", "mlx-lm", phi3(), phi3(long_factor=[1.0] * 48), "pair \\d+ turns"),
    Mistake("vLLM drops the factor on the logits", "exllamav3#259", "vllm", deepseek(attention_factor=1.0), deepseek(), "softmax_scale_factor 1 in place of 1.87385"),
    Mistake("vLLM fails on a linear factor without a point", "run", "vllm", llama({"rope_type": "linear", "factor": 4}, 4096), llama({"rope_type": "linear", "factor": 4.0}, 4096), "fails on a whole number"),
    Mistake("genai divides by betas that are missing", "run", "genai", qwen3(_YARN | {"truncate": False}), qwen3(_YARN | {"truncate": False} | _BETAS), "beta_fast is missing"),
    Mistake("genai never rounds the ramp", "keras-hub#2981", "genai", qwen3(_YARN | _BETAS), qwen3(_YARN | _BETAS | {"truncate": False}), "pair \\d+ turns"),
    Mistake("genai makes a Llama plain", "run", "genai", llama(_YARN | _BETAS), llama(None), "pair \\d+ turns 4 times"),
    Mistake("litgpt's ramp is the wrong way round", "run", "litgpt", qwen3(_YARN), qwen3(None), "wrong way round"),
    Mistake("KerasHub's dynamic method is linear", "run", "keras-hub", qwen3({"rope_type": "dynamic", "factor": 4.0}, 40960), qwen3(None, 40960), "pair \\d+ turns"),
    # Files and command lines of an engine
    Mistake("yarn_attn_factor in a file", "run", "", gguf(yarn_attn_factor=0.9), gguf(attn_factor=0.9), "yarn_attn_factor is 0.9: llama.cpp does not read it"),
    Mistake("betas in a file", "run", "", gguf(yarn_beta_fast=16.0, yarn_beta_slow=2.0), gguf(), "does not read them for this architecture"),
    Mistake("a file with yarn whose context_length is the original one", "run", "", gguf(context_length=32768), gguf(), "llama-server serves 32768"),
    Mistake("yarn_log_multiplier where it is not read", "llama.cpp#17945", "", gguf(yarn_log_multiplier=1.0), gguf(), "yarn_log_multiplier is 1"),
    Mistake("llama-server beyond the file's length", "run", "", "llama-server -c 131072 --rope-scale 4", "llama-server -c 131072 --rope-scaling yarn --rope-scale 4 --yarn-orig-ctx 32768", "serves 32768 tokens", PLAIN_GGUF),
    Mistake("--yarn-attn-factor", "meta-oss-cookbook#37", "", "llama-server --rope-scaling yarn --rope-scale 4 --yarn-attn-factor 0.5", "llama-server --rope-scaling yarn --rope-scale 4", "overwrites it", PLAIN_GGUF),
    Mistake("vLLM's override without a base", "vllm-recipes#856", "", vllm('{"rope_parameters": {' + _INSIDE + '}, "max_position_embeddings": 131072}'), _GOOD, "vLLM takes 10000", qwen3(None, 40960)),
    Mistake("vLLM's override without the length", "vllm#8793", "", vllm('{"rope_parameters": {' + _INSIDE + ', "rope_theta": 1000000}}'), _GOOD, "refuses to serve 131072", qwen3(None, 40960)),
    Mistake("vLLM's override of rope_theta alone", "run", "", vllm('{"rope_theta": 5000000}', 40960), vllm('{"rope_parameters": {"rope_type": "default", "rope_theta": 5000000}}', 40960), "does not read a base beside", qwen3(None, 40960)),
    Mistake("a flag that vLLM no longer has", "vllm#37886", "", "vllm serve model --rope-scaling '{" + _INSIDE + "}'", _GOOD, "no such flag", qwen3(None, 40960)),
    Mistake("SGLang's override of null", "run", "", sglang('{"rope_scaling": null, "max_position_embeddings": 131072}'), _GOOD_SGLANG, "takes the base 10000", qwen3(None, 40960)),
    Mistake("SGLang without the length", "run", "", sglang('{"rope_scaling": {' + _INSIDE + "}}"), _GOOD_SGLANG, "refuses to serve 131072", qwen3(None, 40960)),
    Mistake("scaling_factor in torchtitan", "run", "", {"CosSinRoPE.Config": {"dim": 64, "theta": 1e4, "scaling": "yarn", "scaling_factor": 4.0}}, {"CosSinRoPE.Config": {"dim": 64, "theta": 1e4, "scaling": "yarn", "rope_factor": 4.0}}, "reads rope_factor alone"),
    Mistake("rotary_percent beside Megatron's yarn", "run", "", {"position_embedding_type": "yarn", "kv_channels": 128, "rotary_percent": 0.5, "yarn_rotary_scaling_factor": 4.0, "yarn_original_max_position_embeddings": 4096}, {"position_embedding_type": "yarn", "kv_channels": 128, "yarn_rotary_scaling_factor": 4.0, "yarn_original_max_position_embeddings": 4096}, "all kv_channels turn"),
)  # fmt: skip
