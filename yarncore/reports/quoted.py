"""What somebody else wrote, put on a console."""

from rich.markup import escape

from yarncore.errors import printable


def quoted(text: str) -> str:
    """A text that means nothing to the console: neither markup nor control characters."""
    return escape(printable(text))
