"""GGUF: the keys of llama.cpp's files, and what llama.cpp computes from them."""

from yarncore.configs.gguf.dialect import CHANGES_A_MODEL, NAME, SIGNS, read, recognises
from yarncore.configs.gguf.writing import write

__all__ = ["CHANGES_A_MODEL", "NAME", "SIGNS", "read", "recognises", "write"]
