"""torchtitan 0.3.0, if its classes were given the numbers of a config.json: ComplexRoPE and CosSinRoPE were run
(tests/engines/records). What its models multiply their logits by was read: torchtitan/models/deepseek_v3/model.py,
(0.1 mscale ln s + 1)^2, and torchtitan/models/gpt_oss/model.py, (0.1 ln s + 1)^2. It reads no config.json itself.
"""

from yarncore.configs.engines.engine import RopeKeys, Shape, as_advertised, rope_type_first
from yarncore.configs.model_ropes import Evidence
from yarncore.scaling import Llama3, YaRN
from yarncore.scaling.scaling import Scaling

NAME = "torchtitan"
VERSION = "0.3.0"
EVIDENCE = Evidence("run", "torchtitan 0.3.0, torchtitan/models/common/rope.py")

_LLAMA = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}

kind = rope_type_first
served = as_advertised  # max_seq_len, which one sets


def scaling(kind: str, keys: RopeKeys, shape: Shape) -> Scaling | None:
    """What its classes, and the models that have YaRN there, compute with the same numbers."""
    if kind == "default":
        return None
    if kind == "llama3":
        given = {key: keys.number(key, at_least=1 if key == "factor" else 0) for key in _LLAMA}
        for key, value in given.items():
            if value is None:
                keys.changed(key, f"missing: {_LLAMA[key]:g} is taken")
        factor, low, high = (_LLAMA[key] if value is None else value for key, value in given.items())
        original = keys.original_length(shape, otherwise=8192)
        return Llama3(factor, original, low_freq_factor=low, high_freq_factor=high)
    if kind == "yarn":
        return _yarn(keys, shape)
    raise keys.error(keys.spelled("rope_type", "type"), "llama3 or yarn, which torchtitan has,")


def _yarn(keys: RopeKeys, shape: Shape) -> Scaling | None:
    factor = keys.number("factor", at_least=1, below=2**53)
    if factor is None:
        keys.changed("factor", "missing: 1 is taken, which is plain RoPE")
    original = keys.original_length(shape, otherwise=4096)
    truncate = keys.flag("truncate")
    mscale = keys.number("mscale", at_least=0, below=2**53)
    for key in ("attention_factor", "attn_factor", "mscale_all_dim"):
        keys.ignored(key, "cos and sin have no factor there")
    if not shape.latent:
        keys.ignored("mscale", "cos and sin have no factor there")
    fast, slow = keys.beta("beta_fast"), keys.beta("beta_slow")
    if factor is None or factor == 1:
        return None
    # that of gpt-oss is on the logits, squared: the same product of q and k as with the factor on both
    return YaRN(
        factor,
        original,
        beta_fast=fast,
        beta_slow=slow,
        truncate=truncate is not False,
        attention_factor=None if shape.model_type == "gpt_oss" else 1.0,
        softmax_mscale=(1.0 if mscale is None else mscale) if shape.latent else None,
    )
