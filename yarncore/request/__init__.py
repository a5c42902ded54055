"""One call, checked: what a backend receives."""
