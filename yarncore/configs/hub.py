"""A model's name on the Hugging Face hub -> its config.json: in the local cache, or downloaded where that is asked for."""

import re
from pathlib import Path

from yarncore.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_FILE = "config.json"


def is_name(source: str) -> bool:
    """Whether a string has the form of a name on the hub: owner/model."""
    return _NAME.fullmatch(source) is not None


def cached(source: str) -> Path | None:
    """The configuration in the local cache; None where it is not there, or huggingface_hub is not installed."""
    if not is_name(source):
        return None
    try:
        from huggingface_hub import try_to_load_from_cache
    except ModuleNotFoundError:
        return None
    found = try_to_load_from_cache(source, _FILE)
    return Path(found) if isinstance(found, str) else None


def downloaded(source: str) -> Path:
    """The configuration alone, from the hub; nothing else of the repository is fetched, and nothing of it is run.

    Raises
    ------
    ConfigError
        Where the name is none, huggingface_hub is not installed, or the hub does not give it.
    """
    if not is_name(source):
        raise ConfigError(
            f"source is {source!r}; the name of a model on the hub, owner/model, is expected to download it"
        )
    try:
        from huggingface_hub import hf_hub_download
    except ModuleNotFoundError:
        raise ConfigError("a download needs huggingface_hub: pip install 'yarncore[hub]'") from None
    try:
        return Path(hf_hub_download(source, _FILE))
    except (OSError, ValueError) as error:  # the hub's own errors are of these
        raise ConfigError(
            f"{source}: the hub does not give its {_FILE}: {' '.join(str(error).split())[:300]}"
        ) from None
