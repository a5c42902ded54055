"""JAX. Imported only where JAX has been."""

from typing import Any

import jax

from yarncore.frameworks.framework import Framework


class Jax(Framework):
    """The answers for JAX's arrays and tracers."""

    immutable = True
    contracts = True
    faster = 'jax.jit around the call; on one CPU device backend="native"'

    def is_traced(self, x: Any) -> bool:
        if isinstance(x, jax.core.Tracer):
            return True
        return any(device.platform != "cpu" for device in x.devices())

    def is_virtual(self, x: Any) -> bool:
        return isinstance(x, jax.core.Tracer)

    def has_64_bits(self, xp: Any) -> bool:
        """Only when it is told to."""
        return bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined,unused-ignore]

    def placement(self, like: Any) -> dict[str, Any]:
        return {}

    def take_rows(self, xp: Any, table: Any, rows: Any) -> Any:
        # Over meshes with explicit axes a gather must be told that its result is cut as its indices are.
        sharding = jax.typeof(rows).sharding  # type: ignore[attr-defined,unused-ignore]
        spec = jax.sharding.PartitionSpec(*sharding.spec, *(None,) * (len(table.shape) - 1))
        wanted = None if sharding.mesh.empty or not sharding.mesh.are_all_axes_explicit else sharding.update(spec=spec)
        return table.at[rows].get(mode="promise_in_bounds", out_sharding=wanted)


JAX = Jax("jax")
