"""The compiled rotation. Private: arguments are checked by yarncore.request."""

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
import numpy.typing as npt

element_types: tuple[str, ...]
max_axes: int
max_sections: int

_QueryScale = tuple[int, float, int, int, bool]

@final
class Turns:
    def __init__(self, words: npt.NDArray[np.uint32], factors: npt.NDArray[np.float64]) -> None: ...

@final
class Rows:
    def __init__(
        self,
        turns: Turns,
        *,
        shape: Sequence[int],
        doubles: bool,
        conjugate: bool,
        rows: npt.NDArray[np.int32] | None,
        positions: npt.NDArray[Any],
        pair_section: npt.NDArray[np.uint8] | None,
        query_scale: _QueryScale | None = None,
    ) -> None: ...

@final
class ShortCut:
    def __init__(
        self,
        turns: Turns | Rows,
        head_dim: int,
        interleaved: bool,
        conjugate: bool,
        pair_section: npt.NDArray[np.uint8] | None,
        sections: int,
        rows: npt.NDArray[np.int32] | None,
        rotary_start: int,
        query_scale: _QueryScale | None,
        /,
    ) -> None: ...
    def append(
        self,
        q: Any,
        k: Any,
        v: Any,
        positions: Any,
        key_cache: Any,
        value_cache: Any,
        slots: Any,
        heads_axis: Any,
        out: Any,
        /,
    ) -> Any: ...
    def move(
        self, keys: Any, source: Any, target: Any, by: Any, into: Any, values: Any, values_into: Any, heads_axis: Any, /
    ) -> Any: ...
    def attempt(
        self, q: Any, k: Any, positions: Any, heads_axis: Any, in_place: bool, out: Any, query: Any, /
    ) -> Any: ...

@final
class Method:
    def __init__(self, function: Callable[..., Any], in_place: bool, prepared: bool) -> None: ...
    def __get__(self, instance: Any, owner: Any = None) -> Callable[..., Any]: ...

_DeviceArray = tuple[int, str, Sequence[int], Sequence[int]]
_Array = npt.NDArray[Any] | _DeviceArray

@final
class Call:
    def __init__(
        self,
        turns: Turns | Rows | None,
        inputs: Sequence[_Array],
        outputs: Sequence[_Array],
        types: Sequence[str],
        *,
        heads_axis: int | None,
        rotary_start: int,
        interleaved: bool,
        conjugate: bool,
        rows: _Array | None,
        positions: _Array | None,
        offset: int,
        pair_section: npt.NDArray[np.uint8] | None,
        slots: _Array | None,
        tables: tuple[_Array, _Array] | None = None,
        table_types: Sequence[str] = (),
        query_scale: _QueryScale | None = None,
        both_queries: bool = False,
    ) -> None: ...

def rotate(call: Call) -> None: ...

@final
class PagedCall:
    def __init__(
        self,
        turns: Turns,
        transfers: Sequence[tuple[_Array, _Array, str, bool, bool]],
        *,
        grid: Sequence[int],
        has_heads: bool,
        rotary_start: int,
        interleaved: bool,
        conjugate: bool,
        rows: _Array | None,
        positions: _Array | None,
        offset: int,
        pair_section: npt.NDArray[np.uint8] | None,
        source_slots: _Array | None,
        target_slots: _Array | None,
        other: PagedCall | None,
        query_scale: _QueryScale | None = None,
    ) -> None: ...

def move(call: PagedCall) -> None: ...

@final
class DeviceLaunch:
    @property
    def element_type(self) -> str: ...
    @property
    def access_bytes(self) -> int: ...
    @property
    def interleaved(self) -> bool: ...
    @property
    def paged(self) -> bool: ...
    @property
    def blocks(self) -> int: ...
    @property
    def grid(self) -> int: ...
    @property
    def shared_bytes(self) -> int: ...
    @property
    def parameter(self) -> bytes: ...
    def launch(self, device: int, stream: int) -> None: ...

kernel_types: tuple[str, ...]
threads_per_block: int
max_pairs_by_value: int

def plan_on_device(call: Call, *, table: int, factors: int, multiprocessors: int) -> list[DeviceLaunch]: ...
def plan_move_on_device(
    call: PagedCall, *, table: tuple[int, int], other: tuple[int, int], multiprocessors: int
) -> list[DeviceLaunch]: ...
def why_no_cuda() -> str: ...
def jax_handler() -> object: ...
def fresh_like(x: Any, /) -> Any: ...
def set_traced_get(function: Callable[[Any, Any, Any], Any]) -> None: ...
def register_torch(
    types: tuple[Any, ...], exchange_table: Any, functions: tuple[Any, ...], forward_ad: dict[str, Any]
) -> None: ...
def set_num_threads(count: int) -> None: ...
def get_num_threads() -> int: ...
def instruction_sets() -> list[str]: ...
def instruction_set() -> str: ...
def use_instruction_set(name: str) -> None: ...
def force_fetch_ahead(answer: bool | None) -> None: ...
def force_stream(answer: bool | None) -> None: ...
def memory_choices() -> list[tuple[str, int, bool, bool, float]]: ...
