"""What engines compute from a configuration in the words of transformers: one file an engine."""
