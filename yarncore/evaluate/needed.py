"""What has to be installed."""

import importlib.util

_PACKAGES = ("torch", "transformers", "lm_eval", "datasets", "matplotlib")


def need_extra() -> None:
    """Raise where a package of the extra is missing.

    Raises
    ------
    ImportError
        Not a ModuleNotFoundError of some inner import: the sentence says which extra to install.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(f"evaluating needs {', '.join(missing)}: pip install 'yarncore[evaluate]'")


class MissingExtra(ValueError, ImportError):
    """A package of an extra is not installed."""
