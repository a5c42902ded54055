"""MLX."""

from typing import Any

from yarncore.frameworks.framework import Framework


class Mlx(Framework):
    """The answers for MLX's arrays, which are lazy."""

    immutable = True
    faster = "mlx.core.compile around the call"

    def has_64_bits(self, xp: Any) -> bool:
        """Not on its GPU."""
        return False

    def placement(self, like: Any) -> dict[str, Any]:
        return {}


MLX = Mlx("mlx")
