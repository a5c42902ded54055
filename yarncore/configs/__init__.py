"""Files and dicts -> Rope."""
