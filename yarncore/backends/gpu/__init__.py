"""The kernel on memory of a GPU."""
