"""Arrays of parts, blocks or shards, each rotated by the backend of its own framework."""
