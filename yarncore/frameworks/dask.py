"""Dask."""

from typing import Any

from yarncore.frameworks.framework import Framework


class Dask(Framework):
    """The answers for Dask's arrays, which are lazy and lie in blocks."""

    immutable = True

    def broadcast(self, x: Any, shape: tuple[int, ...]) -> Any:
        return x  # aligned block by block


DASK = Dask("dask")
