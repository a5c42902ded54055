"""What an architecture of llama.cpp is to rotary embeddings, beyond the keys of its files."""

from dataclasses import dataclass
from typing import Literal

from yarncore.configs.model_ropes import Evidence
from yarncore.rope.sections import SectionOrder

_UNSAID = Evidence("none")
SLIDING, CHUNKED = "sliding_attention", "chunked_attention"


@dataclass(frozen=True, slots=True)
class Windows:
    """Which layers look at a window of tokens only, and by what they turn.

    Attributes
    ----------
    period : int or None
        One layer of so many looks at everything, where attention.sliding_window_pattern does not say; None: it has to.
    full_first : bool
        It is the first of them, not the last.
    on : "always", "where told" or "unless 0"
        Whether there are windows: "where told" with attention.sliding_window > 0, "unless 0" without that key, too.
    needed : bool
        llama.cpp stops at a model without them.
    block_count : int or None
        Only a model of so many layers has them.
    turn : "alike", "own" or "plain"
        By what the other layers turn by; by a base and a factor of their own, which no flag reaches; or without scaling.
    base : float or None
        Where rope.freq_base_swa is not there; None: that of the other layers.
    scaled : bool
        "own": the file's factor is theirs, too.
    reads_base : bool
        rope.freq_base_swa is their base, not that of the other layers.
    divided : bool
        Tensors of divisors are for them, too.
    full_still : bool
        The other layers do not turn.
    name : str
        Their layer type.
    """

    period: int | None
    full_first: bool = False
    on: Literal["always", "where told", "unless 0"] = "always"
    needed: bool = False
    block_count: int | None = None
    turn: Literal["alike", "own", "plain"] = "alike"
    base: float | None = None
    scaled: bool = True
    reads_base: bool = False
    divided: bool = True
    full_still: bool = False
    name: str = SLIDING


@dataclass(frozen=True, slots=True)
class Still:
    """Layers that do not turn, whatever they look at: every n-th.

    Attributes
    ----------
    every : int
    first : bool
        The first of so many, not the last.
    without_windows : bool
        There are such layers in a file without windows, too.
    """

    every: int
    first: bool = False
    without_windows: bool = True


@dataclass(frozen=True, slots=True)
class Architecture:
    """How an architecture turns, and which keys its loader reads.

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
    same_mscale : bool
        m is t(s, mscale_all_dim) / t(s, mscale_all_dim), as in DeepSeek's files; else t(s, 1) stands above.
    whole_head : bool
        The loader refuses a rope.dimension_count that is not the head's.
    part_of_head : bool
        What turns is a slice of a head that is handled apart from the rest of it (MLA).
    windows : Windows or None
    still : Still or None
    sizes_by_window : bool
        attention.key_length_swa and rope.dimension_count_swa are those of the layers with windows.
    half_turns : bool
        Layers without windows turn half of rope.dimension_count.
    sections : "contiguous", "interleaved" or None
        How rope.dimension_sections share out the pairs.
    needs_sections : bool
        Without them llama.cpp does not run it; else they change it, and pairs are then those of NEOX.
    ignores_sections : bool
        The loader reads them, and its graph does not.
    recurrent : str or None
        The type of layers without attention: those with no key heads, or, "linear_attention", all but every n-th.
    can_be_still : bool
        rope.scaling.finetuned = false says that no layer turns.
    rope_pattern : bool
        attention.rope_pattern lists the layers that turn.
    only_with_layers : int or None
        Models with another block_count do not turn.
    leading_dense_turn : bool
        The first leading_dense_block_count layers turn, whatever they look at.
    temperature : "original", "key" or None
        Where attention.temperature_scale counts from: the original length, or attention.temperature_length.
    still_temperature : bool
        Llama 4's constants multiply the queries of layers that do not turn, in a file with windows.
    needs_divisors : bool
        The loader wants the tensor rope_freqs.weight.
    reads_alpha : bool
        rope.scaling.alpha makes the base larger.
    """

    interleaved: bool | None
    evidence: Evidence = _UNSAID
    reads_betas: bool = False
    log_multiplier: float | None = None
    softmax: bool = False
    same_mscale: bool = False
    whole_head: bool = False
    part_of_head: bool = False
    windows: Windows | None = None
    still: Still | None = None
    sizes_by_window: bool = False
    half_turns: bool = False
    sections: SectionOrder | None = None
    needs_sections: bool = False
    ignores_sections: bool = False
    recurrent: str | None = None
    can_be_still: bool = False
    rope_pattern: bool = False
    only_with_layers: int | None = None
    leading_dense_turn: bool = False
    temperature: Literal["original", "key"] | None = None
    still_temperature: bool = False
    needs_divisors: bool = False
    reads_alpha: bool = False
