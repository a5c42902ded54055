"""config.json of transformers, versions 4 and 5."""
