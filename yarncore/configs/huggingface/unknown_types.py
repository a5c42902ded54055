"""Model types that are neither run nor cited: their keys stand alone, and what keys cannot tell is refused by name."""

from yarncore.configs.huggingface.facts import Facts
from yarncore.configs.huggingface.layers import label_of
from yarncore.configs.keys import Keys, warn
from yarncore.configs.model_ropes import FULL
from yarncore.errors import ConfigError

_SIGNS = {
    "qk_rope_head_dim": "whether the softmax factor of its scaling is applied, and which elements make a pair",
    "rope_local_base_freq": "which layers have which base",
    "local_rope_theta": "which layers have which base",
    "global_rope_theta": "which layers have which base",
    "swa_rope_theta": "which layers have which base",
    "sliding_rope_theta": "which layers have which base",
    "compress_rope_theta": "which layers have which base",
    "layer_rope_theta": "which layers rotate",
    "no_rope_layers": "which layers rotate",
    "no_rope_layer_interval": "which layers rotate",
    "nope_layer_interval": "which layers rotate",
    "hybrid_layer_pattern": "which layers rotate",
    "layers_block_type": "which layers rotate",
    "hybrid_override_pattern": "which layers rotate",
    "attn_type_list": "which layers rotate",
    "linear_attn_config": "which layers rotate",
}


def refuse_what_keys_cannot_tell(config: Keys, facts: Facts, model_type: str, names: tuple[str, ...]) -> None:
    """Raise where a file of an unknown type shows signs of what its keys cannot tell; else warn that they stand alone.

    Raises
    ------
    ConfigError
        Naming the sign and what cannot be told; also with strict=False.
    """
    if facts.evidence.kind != "none":
        return
    whose = f"model_type {model_type!r}" if model_type else "a model without model_type"
    for sign, what in _SIGNS.items():
        if config.lookup(sign) not in (None, 0, [], {}):
            raise _refused(config, sign, whose, what)
    new = config.lookup("rope_parameters") or config.lookup("rope_scaling")
    told = isinstance(new, dict) and all(label_of(facts, name, new) is not None for name in names)
    if set(names) != {FULL} and not told:
        raise _refused(config, "layer_types", whose, "which layers rotate")
    for key in ("rope_parameters", "rope_scaling"):
        inner = config.lookup(key)
        if isinstance(inner, dict) and inner.get("mrope_section") and inner.get("mrope_interleaved") is None:
            raise _refused(config, f"{key}.mrope_section", whose, "the order of its sections")
    warn(
        f"{config.where}: {whose} is not known here: its code was neither run nor read. Its keys are read as most models mean "
        "them: every layer alike, pairs (i, i + n/2), one base"
    )


def _refused(config: Keys, sign: str, whose: str, what: str) -> ConfigError:
    return ConfigError(
        f"{config.name(sign)} is {config.lookup(sign)!r}, and the keys of {whose}, whose code was neither run nor read, do not "
        f"tell {what}; build the Rope by hand, or give a model_type that is known to do the same"
    )
