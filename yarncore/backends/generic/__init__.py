"""The rotation in array operations of any framework."""
