"""The keys rope.scaling.* and the tensors of divisors -> what llama.cpp computes from them.

llama.cpp b11739, b11549 and b11434 were run with each of these settings (tests/goldens/engines_executed.json,
tests/engines/records).
"""

import math
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from yarncore.configs.gguf.architecture import Architecture
from yarncore.configs.keys import Keys, warn
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope
from yarncore.scaling import Llama3, LongRoPE, PositionInterpolation, Proportional, YaRN
from yarncore.scaling.scaling import Scaling

TYPES = ("none", "linear", "yarn", "longrope")
_FREQS, _SHORT, _LONG = "rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"
# The converter writes 1e30 (ggml-org/llama.cpp, conversion/gemma.py, tag b11434): at no position is that a turn.
_STANDS_STILL = 1e29
_EXTRA = ("yarn_ext_factor", "yarn_attn_factor")


@dataclass(frozen=True, slots=True)
class Settings:
    """What flags replace of a file's scaling; each is the file's where None.

    Attributes
    ----------
    method : str
    factor : float
        s, 1 / rope_freq_scale.
    original : int
        L.
    betas : tuple of float
    ext_factor : float
        0 turns the ramp and the temperature off.
    attn_factor : float
        --yarn-attn-factor: has an effect only with ext_factor 0.
    file_factor : float
        The file's s, whatever its type is: layers with settings of their own keep it.
    """

    method: str
    factor: float
    original: int
    betas: tuple[float, float]
    ext_factor: float = 1.0
    attn_factor: float = 1.0
    file_factor: float = 1.0


def settings_of(keys: Keys, architecture: Architecture, context: int) -> Settings:
    """What a file sets."""
    factor = keys.number("rope.scaling.factor", at_least=0)
    old = keys.number("rope.scale_linear", at_least=0)
    s = factor if factor is not None else old
    method = keys.word("rope.scaling.type", TYPES) or "linear"
    original = keys.length("rope.scaling.original_context_length") or context
    betas = (
        keys.number("rope.scaling.yarn_beta_fast", above=0) or 32.0,
        keys.number("rope.scaling.yarn_beta_slow", above=0) or 1.0,
    )
    if betas != (32.0, 1.0) and not architecture.reads_betas:
        warn(
            f"{keys.name('rope.scaling.yarn_beta_fast')} and yarn_beta_slow are {betas[0]:g} and {betas[1]:g}: llama.cpp does not "
            "read them for this architecture and runs with 32 and 1",
            finding=True,
        )
        betas = (32.0, 1.0)
    for name in _EXTRA:
        given = keys.number(f"rope.scaling.{name}")
        if given not in (None, 1):
            warn(
                f"{keys.name(f'rope.scaling.{name}')} is {given:g}: llama.cpp does not read it for this architecture",
                finding=True,
            )
    keys.seen.add("rope.scaling.yarn_log_multiplier")  # read where YaRN is on
    s = s or 1.0  # llama.cpp: 0 is no factor
    return Settings(method, 1.0 if method == "none" else s, original, betas, file_factor=s)


def scaling_of(
    keys: Keys, architecture: Architecture, pairs: int, context: int, now: Settings, divided: bool = True
) -> Scaling | None:
    """The scaling that llama.cpp carries out with these settings.

    Parameters
    ----------
    divided : bool
        Tensors of divisors are for these layers, too.

    Raises
    ------
    ConfigError
        Where no scaling here is that.
    """
    divisors = _divisors(keys, pairs) if divided else None
    if divided and divisors is None and architecture.needs_divisors:
        raise ConfigError(f"{keys.where}: the tensor {_FREQS} is missing; llama.cpp does not load a file without it")
    by_key = _by_key(keys)
    if now.method == "yarn" and now.ext_factor != 0:
        if divisors is not None:
            raise ConfigError(
                f"{keys.name('rope.scaling.type')} is 'yarn' beside tensors of divisors: llama.cpp runs the ramp on the divided "
                "frequencies, which is no method that has a name"
            )
        return _yarn(keys, architecture, now, by_key)
    if architecture.softmax and now.method == "yarn":
        raise ConfigError(
            f"{keys.where}: with an ext-factor of 0 llama.cpp interpolates linearly and multiplies the logits of this "
            "architecture all the same; no scaling here says so"
        )
    m = by_key * now.attn_factor
    if divisors is not None:
        short, long = ([divisor * now.factor for divisor in divided] for divided in divisors)
        return _divided(keys, short, long, now.original, context, m)
    if m != 1:
        raise ConfigError(
            f"{keys.name('rope.scaling.attn_factor')} is {m:g} without YaRN: llama.cpp multiplies cos and sin by it, which no "
            "scaling here says"
        )
    if now.factor == 1:
        return None
    if now.factor < 1:
        raise keys.error("rope.scaling.factor", "a number >= 1")
    return PositionInterpolation(now.factor)


def check_unscaled(keys: Keys, now: Settings) -> None:
    """Layers beside those that are scaled have no scaling of their own.

    Raises
    ------
    ConfigError
        Where what multiplies cos and sin reaches them all the same.
    """
    m = _by_key(keys) * (now.attn_factor if now.method != "yarn" or now.ext_factor == 0 else 1)
    if m != 1:
        raise ConfigError(
            f"{keys.name('rope.scaling.attn_factor')} is {m:g}: llama.cpp multiplies cos and sin by it on layers that it does not "
            "scale, which no scaling here says"
        )


def _by_key(keys: Keys) -> float:
    return keys.number("rope.scaling.attn_factor", above=0) or 1.0


def _yarn(keys: Keys, architecture: Architecture, now: Settings, by_key: float) -> Scaling:
    if now.ext_factor != 1:
        raise ConfigError(
            f"{keys.where}: an ext-factor of {now.ext_factor:g} mixes two ramps, which no scaling here says"
        )
    if now.factor < 1:
        raise keys.error("rope.scaling.factor", "a number >= 1")
    all_dim = None
    if keys.has("rope.scaling.yarn_log_multiplier"):
        given = keys.number("rope.scaling.yarn_log_multiplier", at_least=0, below=2**53) or 0.0
        if architecture.log_multiplier is None and given:
            warn(
                f"{keys.name('rope.scaling.yarn_log_multiplier')} is {given:g}: llama.cpp does not read it for this architecture",
                finding=True,
            )
        elif given:
            all_dim = float(Decimal(str(given)) / Decimal(str(architecture.log_multiplier)))
    mscale = None if all_dim is None else all_dim if architecture.same_mscale else 1.0
    plain = YaRN(
        now.factor, now.original, beta_fast=now.betas[0], beta_slow=now.betas[1], mscale=mscale, mscale_all_dim=all_dim
    )
    m = float(Rope(4, 1e4, plain).at().attention_factor) * by_key
    attention_factor = None if by_key == 1 else m
    return YaRN(
        now.factor,
        now.original,
        beta_fast=now.betas[0],
        beta_slow=now.betas[1],
        attention_factor=attention_factor,
        mscale=mscale,
        mscale_all_dim=all_dim,
        softmax_mscale=_on_softmax(keys, now.factor, m, by_key, all_dim, mscale) if architecture.softmax else None,
    )


def _on_softmax(
    keys: Keys, s: float, m: float, by_key: float, all_dim: float | None, mscale: float | None
) -> float | None:
    """M for which t(s, M) is m t(s, mscale_all_dim): llama.cpp takes m once more, squared, into the logits of MLA."""
    if by_key == 1:
        return 1.0 if all_dim is None else mscale
    if s == 1:
        return None
    mscale = (m * (1 + 0.1 * (all_dim or 0.0) * math.log(s)) - 1) / (0.1 * math.log(s))
    if mscale < 0:
        raise ConfigError(
            f"{keys.name('rope.scaling.attn_factor')} is {by_key:g}: llama.cpp takes it twice in this architecture, which makes "
            "the logits smaller than without YaRN; no scaling here says so"
        )
    return mscale


def _divisors(keys: Keys, pairs: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Of short and of long sequences; None where the file has no such tensors."""
    one, short, long = (keys.numbers(name) for name in (_FREQS, _SHORT, _LONG))
    if (short is None) != (long is None):
        raise ConfigError(f"{keys.where}: one of the tensors {_SHORT} and {_LONG} is there, the other is not")
    found = None if one is None else (one, one)
    found = (short, long) if short is not None and long is not None else found
    if found is not None and {len(found[0]), len(found[1])} != {pairs}:
        raise ConfigError(f"{keys.where}: the tensors of divisors have {len(found[0])} elements; {pairs} are expected")
    return found


def _divided(keys: Keys, short: list[float], long: list[float], original: int, context: int, m: float) -> Scaling:
    if short == long and m == 1:
        if max(short) >= _STANDS_STILL:
            return _proportional(keys, short)
        llama3 = _as_llama3(keys, short)
        if llama3 is not None:
            return llama3
    elif short != long:
        warn(
            f"{keys.where}: llama.cpp takes the long divisors at every position of a context of more than {original} tokens, "
            "rounded up to 256; here the length of the sequence decides"
        )
    return LongRoPE(
        short_factor=tuple(short),
        long_factor=tuple(long),
        original_length=original,
        factor=max(1.0, context / original),
        attention_factor=m,
    )


def _proportional(keys: Keys, divisors: list[float]) -> Scaling:
    """Gemma 4: the first divisors are the factor, the others so large that nothing turns."""
    turning = next(i for i, divisor in enumerate(divisors) if divisor >= _STANDS_STILL)
    factor = divisors[0]
    if turning == 0 or set(divisors[:turning]) != {factor} or min(divisors[turning:]) < _STANDS_STILL:
        raise ConfigError(f"{keys.where}: the tensor {_FREQS} lets pairs stand still among those that turn")
    return Proportional(turning / len(divisors), factor)


def _as_llama3(keys: Keys, divisors: list[float]) -> Scaling | None:
    """Llama 3's scaling where its divisors are these: the last one is its factor, the rest as published (8192, 1, 4)."""
    factor, base = divisors[-1], keys.number("rope.freq_base", above=1) or 1e4
    if factor < 1:
        return None
    scaling = Llama3(factor, 8192)
    plain = Rope(2 * len(divisors), base).inverse_frequencies
    made = plain / Rope(2 * len(divisors), base, scaling).inverse_frequencies
    return scaling if np.allclose(made, divisors, rtol=2e-6, atol=0) else None
