"""What a result belongs to: a digest of the weights, the tokenizer, the rope and all else that decides it."""

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from typing import Any

import torch

_VERSIONS = ("yarncore", "lm_eval", "transformers", "torch", "tokenizers")


def versions() -> dict[str, str]:
    """Of the packages that decide a result."""
    return {name: _version(name) for name in _VERSIONS}


def _version(name: str) -> str:
    if name == "yarncore":
        from yarncore._version import __version__

        return __version__
    return importlib.metadata.version(name)


def weights_digest(model: Any) -> str:
    """SHA-256 of every tensor of a model's state, with its name, dtype and shape."""
    whole = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        whole.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()


def tokenizer_digest(tokenizer: Any) -> str:
    """SHA-256 of what a tokenizer makes of texts: its rules where it has them as JSON, else its words and added tokens."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    rules = backend.to_str() if backend is not None else json.dumps(sorted(tokenizer.get_vocab().items()))
    return hashlib.sha256(f"{type(tokenizer).__name__}\n{rules}\n{tokenizer.special_tokens_map}".encode()).hexdigest()


def texts_digest(texts: Mapping[str, str]) -> str:
    """SHA-256 of texts and their names."""
    return hashlib.sha256(json.dumps(sorted(texts.items())).encode()).hexdigest()


def ropes_digest(ropes: Iterable[object]) -> str:
    """SHA-256 of Ropes: the repr of a Rope says all that it computes."""
    return hashlib.sha256("\n".join(map(repr, ropes)).encode()).hexdigest()


def key_of(parts: Mapping[str, Any]) -> str:
    """A short name for all of it together, for a file."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]
