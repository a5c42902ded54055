"""config.json in the words of transformers, versions 4 and 5."""

from yarncore.configs.huggingface.dialect import CHANGES_A_MODEL, NAME, SIGNS, read, recognises
from yarncore.configs.huggingface.writing import write

__all__ = ["CHANGES_A_MODEL", "NAME", "SIGNS", "read", "recognises", "write"]
