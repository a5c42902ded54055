"""What a Rope says about each layer, beside what the layer was seen to do."""

from typing import Any

from running import LayerRun

# float32 sines, and powers in float32, in transformers
_FREQUENCY, _FACTOR = 3e-6, 1e-6
_NO_ATTENTION = ("mlp",)


def difference(ropes: Any, layers: tuple[LayerRun, ...], usual: Any, usual_ropes: Any, length: int) -> str | None:
    """The first difference in words, or None.

    `usual` and `usual_ropes` are the model without scaling: its logits' factors are what the softmax factor multiplies.
    """
    read, usual_read = _attending(ropes), None if usual_ropes is None else _attending(usual_ropes)
    times, rest = divmod(len(layers), len(read) or 1)
    if (rest or not times) and len(ropes.layers) > len(read):  # layers without attention may be listed and run too
        read, usual_read = ropes.layers, None if usual_ropes is None else usual_ropes.layers
        times, rest = divmod(len(layers), len(read))
    if rest or not times or not read:
        return f"{len(read)} layers are read, {len(layers)} run"
    for layer in layers:
        at = layer.index // times  # longcat_flash has two attentions in a layer
        rope = read[at]
        found = _of_layer(rope, layer, length)
        if found is None and rope is not None and usual is not None and usual_read is not None:
            found = _softmax(rope, layer, usual_read[at], usual[layer.index], length)
        if found:
            return f"layer {layer.index} {layer.layer_type}: {found}"
    return None


def _attending(ropes: Any) -> tuple[Any, ...]:
    """The layers that have queries: dory lists those without beside them, and counts them not."""
    return tuple(rope for name, rope in zip(ropes.layer_types, ropes.layers, strict=True) if name not in _NO_ATTENTION)


def _of_layer(rope: Any, layer: LayerRun, length: int) -> str | None:
    seen = layer.rotation
    if rope is None or seen is None or not seen.pairs:
        return None if rope is None and (seen is None or not seen.pairs) else f"read {rope!r}, seen {seen and seen.dim}"
    if seen.dim not in (rope.head_dim, rope.rotary_dim):
        return f"head_dim {rope.head_dim} and rotary_dim {rope.rotary_dim} are read, {seen.dim} elements are turned"
    read = _pairs(rope, length)
    found = {pair.first: pair for pair in seen.pairs}
    if read.keys() != found.keys():
        return f"{len(read)} pairs are read, {len(found)} turn"
    for first, (second, frequency, section) in read.items():
        pair = found[first]
        if pair.second != second:
            return f"{first} makes a pair with {second} as read, with {pair.second} as seen"
        if abs(pair.radians - frequency) > _FREQUENCY * frequency:
            return f"pair {first} turns by {frequency} as read, by {pair.radians} as seen"
        if section is not None and pair.section != section:
            return f"pair {first} turns by section {section} as read, by {pair.section} as seen"
    if rope.sections is None and len(set(seen.sections)) > 1:
        return "no sections are read, several are seen"
    factor = float(rope.at(length).attention_factor)
    return None if abs(seen.factor - factor) <= _FACTOR * factor else f"factor {factor} is read, {seen.factor} is seen"


def _pairs(rope: Any, length: int) -> dict[int, tuple[int, float, int | None]]:
    half = rope.rotary_dim // 2
    sections = _sections(rope)
    frequencies = rope.at(length).inverse_frequencies
    pairs = {}
    for i in range(half):
        places = (2 * i, 2 * i + 1) if rope.interleaved else (i, i + half)
        members = tuple(rope.rotary_start + place for place in places)
        first, second = members if frequencies[i] > 0 else members[::-1]  # the one that turns towards the other
        if frequencies[i] != 0:
            pairs[first] = second, abs(float(frequencies[i])), sections[i]
    return pairs


def _sections(rope: Any) -> list[int | None]:
    """The section of each pair, by the words of Rope's documentation."""
    half = rope.rotary_dim // 2
    if rope.sections is None:
        return [None] * half
    if rope.section_order in ("contiguous", "axial"):
        return [section for section, pairs in enumerate(rope.sections) for _ in range(pairs)]
    if rope.section_order in ("interleaved", "axial_interleaved"):
        dealt: list[int | None] = [0] * half
        count = len(rope.sections)
        for section, pairs in list(enumerate(rope.sections))[1:]:
            for turn in range(pairs):
                dealt[section + count * turn] = section
        return dealt
    time = rope.sections[0]
    return [1 + i % (len(rope.sections) - 1) if i < half - time else 0 for i in range(half)]


def _softmax(rope: Any, layer: LayerRun, usual_rope: Any, usual: LayerRun, length: int) -> str | None:
    if layer.scaling is None or not usual.scaling or usual_rope is None:
        return None
    seen = layer.scaling / usual.scaling
    read = rope.at(length).softmax_scale_factor / usual_rope.at(length).softmax_scale_factor
    return None if abs(seen - read) <= _FACTOR * read else f"softmax factor {read} is read, {seen} is seen"
