"""What llama.cpp does by architecture, beyond the keys of its files.

Which elements make a pair: ggml-org/llama.cpp, src/llama-model.cpp, llama_model_rope_type, commit
00342301d01add50835550e8a916f12097d94517; that their layers are all alike, from the model types of transformers. What bears
EXECUTED was run: llama.cpp b11739 and b11434, rotated vectors and logits compared.
"""

from dataclasses import dataclass

from yarncore.configs.model_ropes import Evidence

EXECUTED = Evidence("run", "llama.cpp b11739, tiny models of this architecture")
_CITED = Evidence(
    "cited",
    "github.com/ggml-org/llama.cpp, src/llama-model.cpp, llama_model_rope_type, "
    "commit 00342301d01add50835550e8a916f12097d94517",
)


@dataclass(frozen=True, slots=True)
class Architecture:
    """How an architecture turns, and which of the keys of YaRN its loader reads.

    Attributes
    ----------
    interleaved : bool or None
        NORM (True) or NEOX (False); None: it does not rotate.
    reads_betas : bool
        The loader reads yarn_beta_fast and yarn_beta_slow.
    log_multiplier : float or None
        What the key yarn_log_multiplier is of mscale_all_dim: 1, or 0.1 as in converted DeepSeek files; None: it is not read.
    softmax : bool
        The logits are multiplied by (m t(s, mscale_all_dim))^2 (MLA).
    whole_head : bool
        The loader refuses a rope.dimension_count that is not the head's.
    """

    interleaved: bool | None
    evidence: Evidence = _CITED
    reads_betas: bool = False
    log_multiplier: float | None = None
    softmax: bool = False
    whole_head: bool = False


_NORM = (
    "deci", "baichuan", "starcoder", "internlm2", "minicpm", "xverse", "command-r", "olmo", "arctic", "deepseek", "chatglm",
    "glm4", "granite", "granitemoe", "arcee", "ernie4_5",
)  # fmt: skip
_NEOX = (
    "falcon", "dbrx", "stablelm", "qwen", "qwen2", "qwen2moe", "qwen3moe", "olmoe", "phi2", "phimoe", "gemma", "gemma2",
    "starcoder2", "gptneox", "codeshell", "orion", "nemotron", "exaone", "dots1", "seed_oss", "glm4moe",
)  # fmt: skip
_STILL = (
    "gpt2", "gptj", "mpt", "refact", "bloom", "mamba", "mamba2", "jamba", "jina-bert-v2", "t5", "t5encoder", "jais",
    "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7", "nemotron_h",
)  # fmt: skip

ARCHITECTURES: dict[str, Architecture] = {
    **dict.fromkeys(_STILL, Architecture(None)),
    **dict.fromkeys(_NORM, Architecture(interleaved=True)),
    **dict.fromkeys(_NEOX, Architecture(interleaved=False)),
    "llama": Architecture(interleaved=True, evidence=EXECUTED, whole_head=True),
    "mistral3": Architecture(interleaved=True, evidence=EXECUTED, reads_betas=True, log_multiplier=1.0),
    "deepseek2": Architecture(interleaved=True, evidence=EXECUTED, log_multiplier=0.1, softmax=True),
    "qwen3": Architecture(interleaved=False, evidence=EXECUTED),
    "gpt-oss": Architecture(interleaved=False, evidence=EXECUTED),
    "phi3": Architecture(interleaved=False, evidence=EXECUTED),
}
