"""llama.cpp's library, within an environment that has it.

The library is that of a package of binaries; its functions are declared by another package, made of the header of one build
before. What the defaults are is compared with what the header says, so that a structure that changed in between is noticed.
"""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cffi
from llama_cpp_py_sync._cffi_bindings import ffi

FLOAT32 = 0
_NO_FLASH_ATTENTION, _FROM_MODEL = 0, -1


class Refused(Exception):
    """llama.cpp does not take a file or flags."""


def library_path() -> str:
    """Where the library lies."""
    spec = find_spec("xllamacpp")
    assert spec is not None
    assert spec.origin is not None
    (path,) = Path(spec.origin).parent.glob("*.so")
    return str(path)


def library() -> Any:
    """The C functions of llama.cpp."""
    return ffi.dlopen(library_path(), cffi.FFI.RTLD_LAZY if hasattr(cffi.FFI, "RTLD_LAZY") else 1)


def default_context(llama: Any) -> Any:
    """Parameters of a context as they are without flags; a plain computation on one thread, in float32."""
    wanted = llama.llama_context_default_params()
    if (wanted.n_ctx, wanted.rope_scaling_type, wanted.yarn_beta_fast) != (512, _FROM_MODEL, -1):
        raise RuntimeError("the structure of the context's parameters is another than was declared")
    wanted.n_threads = wanted.n_threads_batch = 1
    wanted.type_k = wanted.type_v = FLOAT32
    wanted.flash_attn_type = _NO_FLASH_ATTENTION
    return wanted


def versions() -> dict[str, str]:
    """Of the packages; xllamacpp's ends with the number of llama.cpp's build."""
    return {name: version(name) for name in ("xllamacpp", "llama-cpp-py-sync")}
