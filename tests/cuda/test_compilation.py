"""nvcc, where there is one: for each architecture few registers and no spills; and what it means that there is no GPU."""

import ctypes
import importlib.util
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import host_kernel
import numpy as np
import pytest
import torch

import yarncore as yc
from yarncore.backends.choice import BACKENDS
from yarncore.backends.gpu import run_time_kernel as cupy_backend
from yarncore.backends.gpu.built_kernel import NativeCudaBackend

SOURCES = Path(__file__).parents[2] / "csrc"
needs_nvcc = pytest.mark.skipif(not shutil.which("nvcc"), reason="nvcc is not installed")
has_gpu = torch.cuda.is_available()


@needs_nvcc
@pytest.mark.whole
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90", "sm_100"])
def test_registers_and_spills(architecture, tmp_path):
    run = subprocess.run(
        ["nvcc", "-std=c++17", "-O3", "-fmad=false", f"-arch={architecture}", "-cubin", "-Xptxas", "-v",
         SOURCES / "cuda" / "launch.cu", "-o", tmp_path / "launch.cubin"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    registers = [int(n) for n in re.findall(r"Used (\d+) registers", run.stderr)]
    # float32 in 16, 8, 4 bytes an access, two types in 16, 8, 4, 2; two layouts; tokens in place or in pools
    assert len(registers) == 44
    assert max(registers) <= 64
    spilled = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", run.stderr)
    assert len(spilled) == len(registers)
    assert set(spilled) == {("0", "0", "0")}


@pytest.mark.whole
@needs_nvcc
def test_the_ptx_reads_16_bytes_at_once_and_contracts_nothing(tmp_path):
    subprocess.run(
        ["nvcc", "-std=c++17", "-O3", "-fmad=false", "-arch=compute_80", "-ptx", SOURCES / "cuda" / "launch.cu",
         "-o", tmp_path / "launch.ptx"], check=True,
    )  # fmt: skip
    ptx = (tmp_path / "launch.ptx").read_text()
    assert "fma.rn" not in ptx
    wide = [kernel for kernel in ptx.split(".entry")[1:] if re.match(r"[^(]*Li16E", kernel)]
    assert len(wide) == 12
    for kernel in wide:
        assert "ld.global.v4" in kernel
        assert "st.global.v4" in kernel
        assert "ld.local" not in kernel


def test_the_sources_that_cupy_compiles_are_installed():
    folder = cupy_backend.source_folder()
    todo, seen = ["cuda/paged.cuh"], set()
    while todo:
        name = todo.pop()
        seen.add(name)
        text = (folder / name).read_text()
        assert text == (SOURCES / name).read_text()
        for included in re.findall(r'#include "(.*?)"', text):
            path = ((folder / name).parent / included).resolve().relative_to(folder.resolve())
            if str(path) not in seen:
                todo.append(str(path))
    assert "rotation_math.h" in seen


@pytest.mark.skipif(sys.platform != "linux", reason="NVRTC comes as a wheel for Linux")
@pytest.mark.parametrize(
    "architecture", ["sm_90", *(pytest.param(name, marks=pytest.mark.whole) for name in ("sm_80", "sm_100"))]
)
def test_nvrtc_compiles_what_cupy_gives_it(architecture):
    """Without CuPy and without a GPU: the library, the options and the names are those that CuPy uses."""
    folder = Path(importlib.util.find_spec("nvidia.cu13").submodule_search_locations[0])
    nvrtc = ctypes.CDLL(str(next((folder / "lib").glob("libnvrtc.so.*"))))
    program = ctypes.c_void_p()
    assert (
        nvrtc.nvrtcCreateProgram(ctypes.byref(program), b'#include "cuda/paged.cuh"', b"rotate.cu", 0, None, None) == 0
    )
    names = [
        cupy_backend.kernel_name(element, width, interleaved, paged).encode()
        for element, width in (("float32", 16), ("bfloat16", 16), ("float16", 2))
        for interleaved in (False, True)
        for paged in (False, True)
    ]
    for name in names:
        assert nvrtc.nvrtcAddNameExpression(program, name) == 0
    folders = (cupy_backend.source_folder(), folder / "include")
    options = [*cupy_backend.OPTIONS, f"--gpu-architecture={architecture}", *(f"-I{path}" for path in folders)]
    given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    failed = nvrtc.nvrtcCompileProgram(program, len(options), given)
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    assert not failed, log.value.decode()
    for name in names:
        lowered = ctypes.c_char_p()
        assert nvrtc.nvrtcGetLoweredName(program, name, ctypes.byref(lowered)) == 0
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


@pytest.mark.skipif(has_gpu, reason="there is a GPU")
def test_without_a_gpu_all_else_works_and_asking_for_one_says_why():
    reason = yc._core.why_no_cuda()
    assert re.search("no usable NVIDIA GPU|built without CUDA", reason)
    assert reason == NativeCudaBackend().why_unavailable()
    with pytest.raises(yc.BackendUnavailable, match=r"backend 'cupy' .* CuPy arrays|on cpu"):
        yc.Rope(8).rotate(torch.ones(2, 8), None, 3, heads_axis=None, backend="cupy")
    launch = host_kernel.rotate(yc.Rope(8).at(), np.ones((2, 8), np.float32), None, 3, heads_axis=None)[1][0]
    with pytest.raises(RuntimeError, match=r"CUDA|no usable"):
        launch.launch(0, 0)
    code = (
        "import yarncore as yc, numpy as np; yc.Rope(8).rotate(np.ones((2, 8)), None, 3, heads_axis=None); "
        "import sys; assert 'cupy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_said_where_cupy_is_missing(monkeypatch):
    monkeypatch.setattr(cupy_backend.importlib.util, "find_spec", lambda name: None)
    cupy_backend._why_unavailable.cache_clear()
    assert re.search("CuPy is not installed; install cupy-cuda", cupy_backend.CupyBackend().why_unavailable())
    cupy_backend._why_unavailable.cache_clear()


class FakeCupy(types.ModuleType):
    """CuPy as far as a launch needs it: NVRTC's place is taken by the host's compiler."""

    def __init__(self):
        super().__init__("cupy")
        self.cuda = types.SimpleNamespace(Device=FakeDevice, ExternalStream=FakeStream)
        self.launched = []

    def RawModule(self, code, options, name_expressions, backend):
        assert code == '#include "cuda/paged.cuh"'
        assert "-fmad=false" in options
        folder = next(option[2:] for option in options if option.startswith("-I"))
        assert (Path(folder) / "cuda" / "paged.cuh").exists()
        element, width, interleaved = re.fullmatch(
            r"yarncore::cuda::rotate<yarncore::ElementType::(\w+), (\d+), (\w+), yarncore::cuda::KernelRequest>",
            name_expressions[0],
        ).groups()

        def kernel(grid, block, arguments, shared_mem):
            assert block == (256,)
            (parameter,) = arguments
            assert isinstance(parameter, np.ndarray)  # what CuPy passes by value
            assert parameter.shape == ()
            self.launched.append(grid)
            host_kernel.library().run(
                parameter.tobytes(), element.encode(), int(width), interleaved == "true", grid[0], shared_mem
            )

        return types.SimpleNamespace(get_function=lambda name: kernel)


class FakeDevice:
    def __init__(self, number):
        self.id = number

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class FakeStream(FakeDevice):
    def __init__(self, address, device):
        assert (address, device) == (7, 0)


def test_the_launch_through_cupy(monkeypatch, rng):
    fake = FakeCupy()
    monkeypatch.setitem(sys.modules, "cupy", fake)
    cupy_backend._kernel.cache_clear()
    rotation = yc.Rope(64, scaling=yc.YaRN(4.0, 64)).at()
    q = rng.standard_normal((3, 4, 64), dtype=np.float32)
    request = host_kernel.make_request(rotation._record, q, None, 9, heads_axis=-2)
    result = np.empty_like(q)
    plan, _ = host_kernel.launches(request, [result], host_kernel.HostMemory())
    memory = types.SimpleNamespace(number=lambda like: 0, stream=lambda like: 7)
    cupy_backend.CupyBackend().launch(plan, memory, q)
    cupy_backend._kernel.cache_clear()
    assert fake.launched == [(plan[0].grid,)]
    assert np.array_equal(result, rotation.rotate(q, None, 9, heads_axis=-2))


def test_backends_of_one_name_stand_in_the_order_of_their_speed():
    assert [backend.name for backend in BACKENDS] == [
        "native",
        "native",
        "native",
        "cupy",
        "generic",
        "generic",
        "generic",
        "native",
    ]
