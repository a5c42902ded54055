"""yarncore under models of transformers."""
