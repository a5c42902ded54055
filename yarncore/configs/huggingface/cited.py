"""Model types whose code is not in transformers 5.24, or serves other files: what their own code does, by hand.

Each row holds the fields of facts.Facts, and the repository, file and commit of the code that was read. `when`: only for
files in which each key has one of these values; the first row that fits is taken, before what was run. `like`: the type
whose facts hold but for those of the row.
"""

from typing import Any

_VLLM = "github.com/vllm-project/vllm"
_MODELS = "vllm/model_executor/models"

CITED: dict[str, tuple[dict[str, Any], ...]] = {
    # Its config class keeps attn_config.rope_theta out of rope_parameters from transformers 5 on, and turns by 10000 then.
    "dbrx": (
        {
            "repository": _VLLM, "file": f"{_MODELS}/dbrx.py", "commit": "e831cfcd98c91bb43e905c409c591ed27a9b0a2a",
            "like": "dbrx", "base_keys": {"": ["attn_config.rope_theta", "rope_theta"]},
        },
    ),
    # DeepseekAttention stands in where there is neither a rotated nor a plain slice (DeepSeek-VL2 Tiny and Small).
    "deepseek_v2": (
        {
            "repository": _VLLM, "file": f"{_MODELS}/deepseek_v2.py", "commit": "b863fe5bf4e19680572603b4e166faefc5725551",
            "when": {"qk_rope_head_dim": [0], "qk_nope_head_dim": [0]},
            "ropes": {"": {"rope_type": "default", "rope_theta": 10000.0}},
            "head_dim": {"": {"keys": [], "default": "hidden//heads"}},
        },
    ),
    # Its config class rewrites rotary_dim as partial_rotary_factor.
    "minimax_m2": (
        {
            "repository": _VLLM, "file": f"{_MODELS}/minimax_m2.py", "commit": "fb33ec8cf0a73c82af00a2128dee4ad058d16e9b",
            "like": "minimax_m2", "rotary_dim": {"keys": ["rotary_dim"], "default": None},
        },
    ),
    # Published files: the class of transformers reads neither swa_rope_theta nor which layers have a window.
    "mimo_v2_flash": (
        {
            "repository": _VLLM, "file": f"{_MODELS}/mimo_v2.py", "commit": "v0.33.0", "having": ["hybrid_layer_pattern"],
            "layer_codes": {"key": "hybrid_layer_pattern", "names": {"0": "full_attention", "1": "sliding_attention"}},
            "ropes": {
                "full_attention": {"rope_type": "default", "rope_theta": 1000000.0},
                "sliding_attention": {"rope_type": "default"},
            },
            "base_keys": {"full_attention": ["rope_theta"], "sliding_attention": ["swa_rope_theta"]},
            "scaled": [],
            "head_dim": {
                "": {"keys": ["head_dim"], "default": None}, "sliding_attention": {"keys": ["swa_head_dim"], "default": None},
            },
        },
    ),
    # vLLM reads this type with DeepseekV3Config (transformers_utils/config.py). The same attention as deepseek_v3: pairs
    # (2i, 2i+1) of the slice, mscale^2 on the logits.
    "kimi_k2": (
        {
            "repository": _VLLM, "file": f"{_MODELS}/deepseek_v2.py", "commit": "b863fe5bf4e19680572603b4e166faefc5725551",
            "pairs": "interleaved", "softmax_mscale": True, "ropes": {"": {}},
            "head_dim": {"": {"keys": ["qk_rope_head_dim"], "default": None}},
        },
    ),
    "ernie4_5_moe_vl": (
        {
            "repository": _VLLM, "file": f"{_MODELS}/ernie45_vl_moe.py",
            "commit": "d1a2e94651cfea98118d1be7db1bf7ee7c1b4dfe",
            "pairs": "interleaved", "ropes": {"": {"rope_type": "default", "rope_theta": 500000.0}},
            "sections": {"order": "time_last", "keys": ["mrope_section"], "time_key": "freq_allocation", "time": 20},
        },
    ),
    # ChatGLM 2 and 3, GLM-4 as first published: half of each head, pairs (2i, 2i+1), a fixed base times rope_ratio.
    "chatglm": (
        {
            "repository": _VLLM, "file": f"{_MODELS}/chatglm.py", "commit": "1b2c2248f4f2f5045ed4e3d809099f1131c69546",
            "when": {"original_rope": [True, None]}, "pairs": "interleaved", "base_times": "rope_ratio",
            "ropes": {"": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}},
            "partial": {"": 0.5}, "partial_keys": [], "base_keys": {"": []},
            "head_dim": {"": {"keys": [], "default": "hidden/heads"}},
        },
    ),
    "bailing_moe": (
        {
            "repository": _VLLM, "file": f"{_MODELS}/bailing_moe.py", "commit": "3a04cf8f14c971435137c3ec572a7803c663673d",
            "ropes": {"": {}}, "rotary_dim": {"keys": ["rotary_dim"], "default": None},
        },
    ),
    # The converter of microsoft/phi-2 leaves each head's elements where they are and makes PhiConfig with base 10000.
    "phi-msft": (
        {
            "repository": "github.com/huggingface/transformers",
            "file": "src/transformers/models/phi/convert_phi_weights_to_hf.py",
            "commit": "27bc371beae46cff7338b53cff646824bdf32e01",
            "ropes": {"": {"rope_type": "default", "rope_theta": 10000.0}},
            "rotary_dim": {"keys": ["rotary_dim"], "default": None},
        },
    ),
    # jina-embeddings-v3; elsewhere this type has learnt positions. Its pairs: bert_with_rope.py beside it (get_rope's own).
    "xlm-roberta": (
        {
            "repository": _VLLM, "file": f"{_MODELS}/config.py", "commit": "0144dd5b0d2d9ef9ac2651a3ab6efa83d0497ea9",
            "when": {"position_embedding_type": ["rotary"]}, "rotates_while": {"position_embedding_type": ["rotary"]},
            "ropes": {"": {}}, "base_keys": {"": ["rotary_emb_base", "rope_theta"]},
            "head_dim": {"": {"keys": [], "default": "hidden/heads"}},
            "rotary_dim": {"keys": ["rotary_emb_dim"], "default": None},
        },
    ),
    # gte-large-en-v1.5 and its kin.
    "new": (
        {
            "repository": _VLLM, "file": f"{_MODELS}/config.py", "commit": "0144dd5b0d2d9ef9ac2651a3ab6efa83d0497ea9",
            "ropes": {"": {}}, "head_dim": {"": {"keys": [], "default": "hidden/heads"}},
            "rotary_dim": {"keys": ["rotary_emb_dim"], "default": None},
        },
    ),
    # The 13B models have ALiBi in the place of a rotation.
    "baichuan": (
        {
            "repository": "github.com/sgl-project/sglang", "file": "python/sglang/srt/models/baichuan.py",
            "commit": "v0.5.23", "when": {"hidden_size": [5120]}, "rotates": False,
        },
    ),
    # grok-2's files bear the type of GIT, which has learnt positions.
    "git": (
        {
            "repository": _VLLM, "file": f"{_MODELS}/grok1.py", "commit": "048a32c74781fb54225d431eca3a58a809eb265d",
            "when": {"rope_type": ["original", "yarn", "yarn_linear", "yarn_log", "theta_scale"]},
            "refuse": "as Grok-2's file has it: what is missing is the model's own code, which would say what its rope_type makes "
            "of scaling_factor, beta_fast and beta_slow; of 'original' vLLM's grok1.py and SGLang's grok.py (commit "
            "031ad4cebee77180f1d3a7776bacb3eceecc3ca3) make frequencies without any scaling, and neither is that code",
        },
    ),
}  # fmt: skip

# The type of the language model within a larger one, where transformers does not know the larger one.
CITED_COMPOSITES: dict[str, str] = {}

# Types of transformers in whose language model nothing is rotated: no attention calls a rotation.
_STILL = {
    "bert": "bert", "bloom": "bloom", "git": "git", "glm5_next_text": "glm5_next", "gpt2": "gpt2", "jamba": "jamba",
    "kimi_linear": "kimi_linear", "mamba": "mamba", "mamba2": "mamba2", "mpt": "mpt", "nemotron_h": "nemotron_h",
    "opt": "opt", "roberta": "roberta", "xlm-roberta": "xlm_roberta",
}  # fmt: skip
for _type, _folder in _STILL.items():
    _file = f"src/transformers/models/{_folder}/modeling_{_folder}.py"
    _row = {"repository": "github.com/huggingface/transformers", "file": _file, "commit": "v5.24.0", "rotates": False}
    CITED[_type] = (*CITED.get(_type, ()), _row)
