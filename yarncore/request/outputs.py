"""Where results go: given arrays, or the inputs themselves, which must be writable and not overlap."""

from typing import Any

from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import of
from yarncore.request.overlap import overlap, repeats_memory
from yarncore.request.tensors import check_array


def checked_outputs(inputs: list[Array], out: Any, names: tuple[str, str]) -> list[Array] | None:
    """The arrays given as out, one for each input; None where none was given."""
    if out is None:
        return None
    outputs = list(out) if isinstance(out, (tuple, list)) else [out]
    if len(outputs) != len(inputs):
        raise ValueError(
            f"out holds {len(outputs)} arrays for {len(inputs)}; one for each of {', '.join(names[: len(inputs)])}"
        )
    for n, (x, y) in enumerate(zip(inputs, outputs, strict=True)):
        check_array(f"out[{n}]", y)
        if of(y).name != of(x).name:
            raise TypeError(f"out[{n}] is an array of {of(y).name}, {names[n]} of {of(x).name}")
        if tuple(y.shape) != tuple(x.shape) or y.dtype != x.dtype:
            raise ValueError(
                f"out[{n}] has shape {tuple(y.shape)} and dtype {y.dtype}; those of {names[n]}, {tuple(x.shape)} and "
                f"{x.dtype}, are expected"
            )
    return outputs


def check_memory(inputs: list[Array], outputs: list[Array], names: tuple[str, str]) -> None:
    """Raise ValueError where writing the outputs would change what is still to be read, or write twice."""
    layouts_in = [of(x).layout(x) for x in inputs]
    layouts_out = layouts_in if outputs is inputs else [of(y).layout(y) for y in outputs]
    in_place = outputs is inputs
    for n, layout in enumerate(layouts_out):
        if layout is not None and repeats_memory(layout):
            what = names[n] if in_place else f"out[{n}]"
            raise ValueError(
                f"{what} has overlapping memory (an expanded or sliding view?): it cannot be written in place"
            )
    if len(outputs) == 2 and (
        outputs[0] is outputs[1] or (None not in layouts_out and overlap(layouts_out[0], layouts_out[1]))  # type: ignore[arg-type]
    ):
        if in_place:
            raise ValueError("q and k are the same memory, or overlap: it would be rotated twice")
        raise ValueError("out[0] and out[1] overlap in memory")
    if in_place:
        return
    for n, target in enumerate(layouts_out):
        for m, source in enumerate(layouts_in):
            if target is None or source is None or (n == m and target == source):
                continue
            if overlap(target, source):
                raise ValueError(
                    f"out[{n}] overlaps {names[m]} in memory; {names[m]} itself or other memory is expected"
                )
