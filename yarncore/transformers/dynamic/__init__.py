"""Scalings that look at the length, under a model whose keys are cached."""
