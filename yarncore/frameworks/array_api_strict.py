"""array-api-strict: nothing beyond the standard, on the host."""

from yarncore.frameworks.framework import Framework


class ArrayApiStrict(Framework):
    """The answers for the arrays of array-api-strict."""

    is_host = True
    faster = "NumPy arrays, which the extension rotates"


ARRAY_API_STRICT = ArrayApiStrict("array_api_strict")
