"""Times on the GPU: ours, the limits and the competitors, taken in turn. Imported when the package is built."""

import functools
import statistics

import torch

import yarncore as yc

import competitors as peers
from within_time import left

HEADS, KEY_HEADS, DIM = 32, 8, 128


class Clock:
    """Median seconds of a call, by events, over sets of arrays that together do not fit the L2 cache."""

    def __init__(self):
        self.l2 = torch.cuda.get_device_properties(0).L2_cache_size

    def sets(self, size):
        """How many sets of `size` bytes are taken in turn."""
        return max(1, min(64, 3 * self.l2 // max(size, 1) + 1))

    def called(self, calls, rounds=15):
        """Calls one after the other, as a program makes them."""
        for call in calls[:3]:
            call()
        many = calls if len(calls) >= 8 else calls * (8 // len(calls) + 1)
        return self._median(lambda: [call() for call in many], rounds) / len(many)

    def captured(self, calls, rounds=15):
        """The same in a captured graph: what the GPU needs, without Python."""
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for call in calls[:3]:
                call()
        stream.synchronize()
        many = calls if len(calls) >= 16 else calls * (16 // len(calls) + 1)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for call in many:
                call()
        return self._median(graph.replay, rounds) / len(many)

    def _median(self, work, rounds):
        work()
        torch.cuda.synchronize()
        samples = []
        for _ in range(rounds):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            work()
            end.record()
            end.synchronize()
            samples.append(begin.elapsed_time(end) / 1e3)
        return statistics.median(samples)


def measure(clock, shape, dtype, backend):
    """One row: our times, and the ratios that the goals name."""
    batch, seq = shape
    tokens = batch * seq
    flat = yc.Rope(DIM).at()
    interleaved = yc.Rope(DIM, interleaved=True).at()
    size = tokens * (HEADS + KEY_HEADS) * DIM * dtype.itemsize
    count = clock.sets(2 * size)
    sets = [[torch.randn(tokens, n, DIM, device="cuda").to(dtype) for n in (HEADS, KEY_HEADS)] for _ in range(count)]
    outs = [[torch.empty_like(x) for x in pair] for pair in sets]
    positions = torch.arange(seq, device="cuda").repeat(batch) + 1000
    row = {"shape": list(shape), "tokens": tokens, "type": str(dtype)[6:], "backend": backend, "bytes": size}

    def of_sets(call):
        return [functools.partial(call, *pair, *out) for pair, out in zip(sets, outs, strict=True)]

    def ours(rotation, q, k, *_):
        rotation.rotate_(q, k, positions, heads_axis=-2, backend=backend)

    in_place = clock.captured(of_sets(functools.partial(ours, flat)))
    row["seconds"] = in_place
    row["bandwidth"] = 2 * size / in_place
    row["interleaved"] = clock.captured(of_sets(functools.partial(ours, interleaved))) / in_place
    row["share_of_scale"] = clock.captured(of_sets(lambda q, k, *_: peers.scale(q, k))) / in_place
    out_of_place = clock.captured(
        of_sets(lambda q, k, a, b: flat.rotate(q, k, positions, heads_axis=-2, out=(a, b), backend=backend))
    )
    row["share_of_copy"] = clock.captured(of_sets(lambda q, k, a, b: peers.copy((q, a), (k, b)))) / out_of_place
    if tokens <= 4096:
        parts = max(1, min(5, 264 // tokens))
        row["over_gather"] = in_place / clock.captured(of_sets(lambda q, k, *_: peers.gather(q, k, positions, parts)))
    cos, sin = (t.to(dtype).contiguous() for t in yc.Rope(DIM).cos_sin(positions))
    if peers.triton is not None:
        row["triton"] = clock.captured(of_sets(lambda q, k, *_: peers.fused_triton(q, k, cos, sin))) / in_place
    outs.clear()  # the peers make their own results
    wide = [torch.cat([t, t], -1).view(batch, seq, DIM) for t in (cos, sin)]
    first = [[x.view(batch, seq, -1, DIM).transpose(1, 2) for x in pair] for pair in sets[: max(1, count // 2)]]
    called = clock.called([functools.partial(ours, flat, *pair) for pair in sets])
    row["called_seconds"] = called
    for name, function in (("eager", peers.apply_of_transformers()), ("compiled", peers.compiled_rotate_half())):
        with torch.no_grad():
            row[name] = clock.called([functools.partial(function, *pair, *wide) for pair in first]) / called
    with torch.no_grad():
        compiled = clock.captured([functools.partial(peers.compiled_rotate_half(), *pair, *wide) for pair in first])
    row["compiled_captured"] = compiled / in_place
    return row


def benchmark(backends):
    """All rows, as long as there is time; what was left out is said."""
    clock = Clock()
    shapes = [(1, s) for s in (4096, 1, 16, 512, 131072, 1024, 8192, 32768)] + [(64, 1), (64, 128), (64, 2048)]
    plan = [(shape, dtype) for dtype in (torch.bfloat16, torch.float32, torch.float16) for shape in shapes]
    rows, missing = [], []
    for backend in backends:
        for shape, dtype in plan if backend == backends[0] else plan[:3]:
            if left() < 15:
                missing.append([backend, list(shape), str(dtype)[6:]])
                continue
            try:
                rows.append(measure(clock, shape, dtype, backend))
                print(f"{backend} {shape} {dtype}: {rows[-1]['seconds'] * 1e6:,.1f} us", flush=True)
            except torch.cuda.OutOfMemoryError:
                missing.append([backend, list(shape), str(dtype)[6:], "out of memory"])
            torch.cuda.empty_cache()
    return rows, missing
