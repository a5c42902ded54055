"""Dask arrays: lazily, block by block, at their global positions; larger than memory; on a cluster of processes."""

import pickle
import subprocess
import sys

import dask
import dask.array as da
import numpy as np
import pytest

import yarncore as yc

ROPE = yc.Rope(16, rotary_dim=12, rotary_start=3, scaling=yc.YaRN(4.0, 64))


@pytest.fixture
def x(rng):
    return rng.standard_normal((2, 37, 4, 16)).astype(np.float32)


@pytest.mark.parametrize("chunks", [(1, 10, 4, 16), (2, 37, 3, 16), (2, (1, 35, 1), (1, 3), 16)], ids=str)
@pytest.mark.parametrize(
    "positions",
    [None, 1000, np.arange(37) * 3, np.arange(74).reshape(2, 37), np.array([[5], [900]])],
    ids=lambda p: str(np.shape(p)),
)
def test_every_chunking_gives_the_bits_of_the_whole(x, chunks, positions):
    lazy = da.from_array(x, chunks=chunks)
    y = ROPE.rotate(lazy, None, positions, heads_axis=-2)
    assert isinstance(y, da.Array)
    assert y.chunks == lazy.chunks
    assert y.dtype == x.dtype
    assert np.array_equal(y.compute(), ROPE.rotate(x, None, positions, heads_axis=-2))


def test_lazy_positions_two_arrays_and_the_other_order_of_axes(x):
    positions = da.arange(37, chunks=7) * 5
    q, k = (da.from_array(t.transpose(0, 2, 1, 3), chunks=(1, 2, 8, 16)) for t in (x, x[:, :, :2]))
    expected = ROPE.rotate(x.transpose(0, 2, 1, 3), x[:, :, :2].transpose(0, 2, 1, 3), np.arange(37) * 5, heads_axis=-3)
    for y, e in zip(ROPE.rotate(q, k, positions, heads_axis=-3), expected, strict=True):
        assert np.array_equal(y.compute(), e)


def test_sections_and_lengths(x):
    rope = yc.Rope(16, sections=(3, 3, 2))
    positions = np.arange(3 * 2 * 37).reshape(3, 2, 37)
    y = rope.rotate(da.from_array(x, chunks=(1, 10, 4, 16)), None, positions, heads_axis=-2)
    assert np.array_equal(y.compute(), rope.rotate(x, None, positions, heads_axis=-2))
    dynamic = yc.Rope(16, scaling=yc.DynamicYaRN(64))
    y = dynamic.rotate(da.from_array(x, chunks=(1, 10, 4, 16)), None, None, heads_axis=-2, length=[[60], [500]])
    assert np.array_equal(y.compute(), dynamic.rotate(x, None, None, heads_axis=-2, length=[[60], [500]]))


def test_nothing_is_computed_before_it_is_asked_for_and_names_are_deterministic(x):
    def refuse(block):
        raise AssertionError("computed")

    lazy = da.from_array(x, chunks=(1, 10, 4, 16))
    ROPE.rotate(lazy.map_blocks(refuse, dtype=x.dtype, meta=lazy._meta), None, None, heads_axis=-2)
    first, second = (ROPE.rotate(lazy, None, 5, heads_axis=-2) for _ in range(2))
    assert first.name == second.name
    assert first.name != ROPE.rotate(lazy, None, 6, heads_axis=-2).name
    assert first.name != yc.Rope(16).rotate(lazy, None, 5, heads_axis=-2).name
    positions = np.arange(3 * 2 * 37).reshape(3, 2, 37)
    names = {
        yc.Rope(16, sections=parts, section_order=order).rotate(lazy, None, positions, heads_axis=-2).name
        for parts in ((4, 2, 2), (2, 3, 3))
        for order in ("contiguous", "interleaved")
    }
    assert len(names) == 4
    y = ROPE.rotate(lazy, None, 5, heads_axis=-2)
    assert np.array_equal(pickle.loads(pickle.dumps(y)).compute(), y.compute())


def test_what_cannot_be_cut_so(x):
    with pytest.raises(ValueError, match=r"rechunk\(\{-1: -1\}\)"):
        ROPE.rotate(da.from_array(x, chunks=(1, 10, 4, 8)), None, None, heads_axis=-2)
    unknown = da.from_array(x[0], chunks=(10, 4, 16))[da.from_array(np.arange(37) % 2 == 0, chunks=10)]
    with pytest.raises(ValueError, match="unknown sizes"):
        ROPE.rotate(unknown, None, None, heads_axis=-2)
    with pytest.raises(TypeError, match="dask"):
        ROPE.rotate(x, None, da.arange(37), heads_axis=-2)
    with pytest.raises(TypeError, match="immutable"):
        ROPE.rotate_(da.from_array(x), None, None, heads_axis=-2)


def test_backend_for_says_block_by_block(x):
    choice = yc.backend_for(da.from_array(x))
    assert choice.name == "generic"
    assert "block by block" in choice.why
    lazy = ROPE.rotate(da.from_array(x), None, 0, heads_axis=-2, backend="generic")
    assert np.array_equal(lazy.compute(), ROPE.rotate(x, None, 0, heads_axis=-2))
    with pytest.raises(yc.BackendUnavailable, match="not on dask"):
        ROPE.rotate(da.from_array(x), None, 0, heads_axis=-2, backend="native")


LARGE = """
import sys, numpy as np, dask, dask.array as da, yarncore as yc
from dask.diagnostics import ProgressBar
from yarncore.reference import rotate_reference
rope = yc.Rope(128, scaling=yc.YaRN(4.0, 4096))
tokens, heads = 5_000_000, 8
file = np.memmap(sys.argv[1], np.float32, "w+", shape=(tokens, heads, 128))  # 20 GB, sparse
rng = np.random.default_rng(0)
rows = np.sort(rng.choice(tokens, 100, replace=False))
for row in rows:
    file[row] = rng.standard_normal((heads, 128))
file.flush()

class Opened:  # mapped anew for each block: what stays mapped counts as memory of the process
    shape, dtype, ndim = file.shape, file.dtype, 3
    def __getitem__(self, index):
        return np.array(np.memmap(sys.argv[1], np.float32, "r", shape=self.shape)[index])

expected_rows = {int(row): np.array(file[row]) for row in rows}
del file
lazy = da.from_array(Opened(), chunks=(4099, heads, 128), name="large")
turned = rope.rotate(lazy, None, None)
with ProgressBar(), dask.config.set(scheduler="threads", num_workers=2):
    picked = dask.compute(*[turned[int(row)] for row in rows])
rotation = rope.at()
for row, y in zip(rows, picked):
    expected = rotate_reference(expected_rows[int(row)], int(row), rotation.inverse_frequencies, rotation.attention_factor, False)
    # The reference's own angle is a float64 of up to 5e6: 5e6 * 2^-53.
    assert np.max(np.abs(y - expected)) <= 4e-7 * np.max(np.abs(expected)) + 1e-8, row
# Its own peak: that of getrusage is the parent's where that was larger.
print(next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_twenty_gigabytes_in_less_than_one(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", LARGE, str(tmp_path / "large")], capture_output=True, text=True, timeout=250
    )
    assert run.returncode == 0, run.stderr
    assert "100% Completed" in run.stdout
    assert int(run.stdout.split()[-1]) < 1024


CLUSTER = """
import numpy as np, dask.array as da, yarncore as yc
from distributed import Client
if __name__ == "__main__":
    with Client(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as client:
        rope = yc.Rope(16, scaling=yc.YaRN(4.0, 64))
        x = np.random.default_rng(0).standard_normal((2, 37, 4, 16)).astype(np.float32)
        y = rope.rotate(da.from_array(x, chunks=(1, 5, 4, 16)), None, None, heads_axis=-2)
        assert np.array_equal(y.compute(), rope.rotate(x, None, None, heads_axis=-2))
        print("agree")
"""


def test_on_a_cluster_of_two_processes(tmp_path):
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "agree" in run.stdout


def test_empty_blocks():
    empty = da.zeros((0, 4, 16), chunks=(1, 4, 16), dtype=np.float32)
    assert ROPE.rotate(empty, None, None).compute().shape == (0, 4, 16)
    assert dask.is_dask_collection(ROPE.rotate(empty, None, None))
