"""The type of the language model within each larger model of transformers."""

from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES


def composites() -> dict[str, str]:
    """Type -> the type of the configuration that it makes for its language model."""
    found = {}
    for model_type in CONFIG_MAPPING_NAMES:
        try:
            parts = getattr(CONFIG_MAPPING[model_type], "sub_configs_defaults", None) or {}
        except (ImportError, AttributeError):  # a type whose file asks for a package that is not here
            continue
        for key in ("text_config", "thinker_config"):
            of = getattr(parts.get(key), "model_type", None)
            if of and of != model_type:
                found[model_type] = of
    return found
