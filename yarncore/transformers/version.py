"""The version of transformers that this was tried with."""

import warnings

import transformers

TRIED = "5.24"


def warn_of_other_versions() -> None:
    """A sentence where another version is installed: hooks and model files may differ."""
    if transformers.__version__.split(".")[:2] != TRIED.split("."):
        warnings.warn(
            f"yarncore.transformers was tried with transformers {TRIED}, and this is {transformers.__version__}: compare the "
            "logits of a model before and after yarncore.transformers.extend(model) before you rely on it",
            stacklevel=3,
        )
