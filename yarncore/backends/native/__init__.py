"""The compiled rotation on memory of the CPU."""
