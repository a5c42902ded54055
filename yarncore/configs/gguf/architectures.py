"""What llama.cpp does by architecture, beyond the keys of its files.

Read in ggml-org/llama.cpp, tag b11434: which elements make a pair, src/llama-model.cpp, llama_model_rope_type; the rest, the file
of the architecture in src/models. Most were run: rotated vectors compared layer by layer (tests/engines/records).
"""

import dataclasses

from yarncore.configs.gguf.architecture import CHUNKED, Architecture, Still, Windows
from yarncore.configs.model_ropes import Evidence

# Not run: four make embeddings, the others stop at the tiny models.
_READ_ALONE = frozenset(
    [
        "chameleon", "dots1", "eurobert", "gemma-embedding", "grovemoe", "laguna", "llama-embed", "minicpm3", "neo-bert", "plamo2",
        "plm", "starcoder",
    ]
)  # fmt: skip
# Files of src/models that are not called after the architecture.
_FILES = {
    "gpt-oss": "openai-moe", "pangu-embedded": "pangu-embed", "glm4moe": "glm4-moe", "granitemoe": "granite-moe",
    "granitehybrid": "granite-hybrid", "hunyuan-dense": "hunyuan-vl", "lfm2moe": "lfm2",
    "ernie4_5": "ernie4-5", "ernie4_5-moe": "ernie4-5-moe", "mistral4": "deepseek2",
}  # fmt: skip


def _evidence(name: str, one: Architecture) -> Evidence:
    if one.interleaved is not None and name not in _READ_ALONE:
        return Evidence("run", "llama.cpp b11549, tiny models of this architecture")
    of_model = "" if one.interleaved is None else f"src/models/{_FILES.get(name, name.replace('_', '-'))}.cpp and "
    return Evidence(
        "cited", f"github.com/ggml-org/llama.cpp, {of_model}src/llama-model.cpp (llama_model_rope_type), tag b11434"
    )


# All layers turn by the same settings: pairs of neighbours (NORM), or halves (NEOX).
_NORM = (
    "starcoder", "internlm2", "minicpm", "xverse", "command-r", "olmo", "arctic", "deepseek", "chatglm", "arcee", "llada",
    "maincoder", "bailingmoe", "chameleon", "neo-bert",
)  # fmt: skip
_NEOX = (
    "dbrx", "stablelm", "qwen", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "olmoe", "phi2", "phi3", "phimoe", "gemma", "starcoder2",
    "gptneox", "codeshell", "orion", "nemotron", "exaone", "dots1", "seed_oss", "dream", "llada-moe", "rnd1", "openelm", "apertus",
    "bailingmoe2", "hunyuan-moe", "hy_v3", "minimax-m2", "grovemoe", "pangu-embedded", "falcon-h1", "jais2", "bitnet", "eurobert",
)  # fmt: skip
_STILL = (
    "gpt2", "gptj", "mpt", "refact", "bloom", "mamba", "mamba2", "jamba", "jina-bert-v2", "t5", "t5encoder", "jais",
    "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7", "nemotron_h", "nemotron_h_moe", "kimi-linear", "kimi-k3", "glm5-next",
)  # fmt: skip

_GEMMA = Windows(6, turn="own", reads_base=True, base=10_000.0, scaled=False)
_ONLY_WINDOWS_TURN = Windows(4, full_still=True)
_MLA = Architecture(interleaved=True, softmax=True, part_of_head=True)
_IMROPE = Architecture(interleaved=False, sections="interleaved", needs_sections=True)
_MROPE = Architecture(interleaved=False, sections="contiguous", needs_sections=True)

_TABLE: dict[str, Architecture] = {
    **dict.fromkeys(_STILL, Architecture(None)),
    **dict.fromkeys(_NORM, Architecture(interleaved=True)),
    **dict.fromkeys(_NEOX, Architecture(interleaved=False)),
    **dict.fromkeys(("llama", "deci", "llama-embed"), Architecture(interleaved=True, whole_head=True)),
    "falcon": Architecture(interleaved=False, whole_head=True),
    "baichuan": Architecture(interleaved=True, only_with_layers=32),
    "mistral3": Architecture(interleaved=True, reads_betas=True, log_multiplier=1.0, temperature="original"),
    **dict.fromkeys(("ernie4_5", "ernie4_5-moe"), Architecture(interleaved=True, ignores_sections=True)),
    **dict.fromkeys(("granite", "granitemoe"), Architecture(interleaved=True, can_be_still=True)),
    # MLA
    "deepseek2": dataclasses.replace(_MLA, log_multiplier=0.1, same_mscale=True, temperature="key"),
    "mistral4": dataclasses.replace(_MLA, log_multiplier=0.1, temperature="key"),
    "deepseek32": dataclasses.replace(_MLA, log_multiplier=0.1, ignores_sections=True),
    "glm-dsa": dataclasses.replace(_MLA, ignores_sections=True),
    "minicpm3": Architecture(interleaved=False, part_of_head=True),
    "plm": Architecture(interleaved=True, part_of_head=True),
    # Several positions of a token
    **dict.fromkeys(("qwen2vl", "paddleocr"), _MROPE),
    **dict.fromkeys(("qwen3vl", "qwen3vlmoe"), _IMROPE),
    **dict.fromkeys(("qwen35", "qwen35moe"), dataclasses.replace(_IMROPE, recurrent="linear_attention")),
    "glm4": Architecture(interleaved=True, sections="contiguous"),
    "glm4moe": Architecture(interleaved=False, sections="contiguous"),
    "hunyuan_vl": Architecture(interleaved=False, sections="contiguous", reads_alpha=True),
    "hunyuan-dense": Architecture(interleaved=False, reads_alpha=True),
    # Layers without attention
    "qwen3next": Architecture(interleaved=False, recurrent="linear_attention"),
    **dict.fromkeys(("lfm2", "lfm2moe"), Architecture(interleaved=False, recurrent="conv")),
    "plamo2": Architecture(interleaved=False, recurrent="mamba"),
    "granitehybrid": Architecture(interleaved=True, recurrent="mamba", can_be_still=True),
    # Windows, which turn like the other layers, by settings of their own, or alone
    "gemma2": Architecture(interleaved=False, windows=Windows(2, turn="own", reads_base=True)),
    "gemma3": Architecture(interleaved=False, windows=dataclasses.replace(_GEMMA, on="where told")),
    "gemma3n": Architecture(interleaved=False, windows=dataclasses.replace(_GEMMA, period=5)),
    "gemma-embedding": Architecture(interleaved=False, windows=_GEMMA),
    "gemma4": Architecture(
        interleaved=False, sizes_by_window=True, needs_divisors=True,
        windows=dataclasses.replace(_GEMMA, period=None, divided=False),
    ),
    "plamo3": Architecture(interleaved=False, windows=dataclasses.replace(_GEMMA, period=8, on="where told")),
    "mimo2": Architecture(interleaved=False, windows=dataclasses.replace(_GEMMA, period=None)),
    "step35": Architecture(
        interleaved=False, sizes_by_window=True, half_turns=True,
        windows=dataclasses.replace(_GEMMA, period=None, divided=False),
    ),
    "laguna": Architecture(
        interleaved=False, sizes_by_window=True,
        windows=Windows(4, full_first=True, on="where told", turn="plain", reads_base=True),
    ),
    "gpt-oss": Architecture(interleaved=False, windows=Windows(2, turn="own", reads_base=True)),
    "spark2_5": Architecture(interleaved=False, sizes_by_window=True, windows=Windows(None, turn="own", reads_base=True)),
    **dict.fromkeys(
        ("olmo2", "mellum"), Architecture(interleaved=False, windows=Windows(4, on="where told", turn="plain"))
    ),
    "cohere2": Architecture(interleaved=True, windows=_ONLY_WINDOWS_TURN),
    "cohere2moe": Architecture(
        interleaved=True, leading_dense_turn=True, windows=dataclasses.replace(_ONLY_WINDOWS_TURN, full_first=True)
    ),
    "exaone4": Architecture(interleaved=False, windows=dataclasses.replace(_ONLY_WINDOWS_TURN, block_count=64)),
    "exaone-moe": Architecture(interleaved=False, windows=_ONLY_WINDOWS_TURN),
    "muse-glimmer": Architecture(
        interleaved=True, windows=dataclasses.replace(_ONLY_WINDOWS_TURN, turn="own", reads_base=True, scaled=False)
    ),
    "maple": Architecture(
        interleaved=False, sizes_by_window=True,
        windows=dataclasses.replace(_ONLY_WINDOWS_TURN, period=None, turn="own", reads_base=True),
    ),
    "granite_swa": Architecture(interleaved=True, windows=Windows(None), rope_pattern=True),
    # Every n-th layer does not turn
    "smollm3": Architecture(interleaved=True, still=Still(4)),
    "afmoe": Architecture(
        interleaved=False, still=Still(4),
        windows=Windows(4, on="where told", needed=True, turn="own", reads_base=True),
    ),
    "smallthinker": Architecture(
        interleaved=False, still=Still(4, first=True, without_windows=False),
        windows=Windows(4, full_first=True, on="where told", turn="own", reads_base=True),
    ),
    "llama4": Architecture(
        interleaved=True, still=Still(4), still_temperature=True,
        windows=Windows(4, on="unless 0", needed=True, turn="own", reads_base=True, name=CHUNKED),
    ),
}  # fmt: skip

ARCHITECTURES: dict[str, Architecture] = {
    name: dataclasses.replace(one, evidence=_evidence(name, one)) for name, one in _TABLE.items()
}
