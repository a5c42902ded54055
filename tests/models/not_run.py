"""Why there is nothing to compare with."""


class NotRun(Exception):
    """A model that could not be made or run, and why."""
