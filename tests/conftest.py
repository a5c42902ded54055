"""The one list of array namespaces, and what several rooms share."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import array_api_compat.numpy
import array_api_compat.torch
import array_api_strict
import jax.numpy
import numpy as np
import pytest
import torch
from hypothesis import settings

from yarncore import _core

torch.set_num_threads(1)  # there is a process of tests a CPU already; the extension keeps its own threads

settings.register_profile("default", deadline=None, max_examples=60, derandomize=True)
settings.register_profile("nightly", deadline=None, max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

NAMESPACES = {
    "numpy": array_api_compat.numpy,
    "torch": array_api_compat.torch,
    "array_api_strict": array_api_strict,
    "jax": jax.numpy,
}


@pytest.fixture(params=NAMESPACES)
def xp(request):
    """Each array namespace in turn; JAX with 64-bit types, which tests of its 32-bit road switch off."""
    if request.param == "jax":
        with jax.enable_x64(True):
            yield NAMESPACES["jax"]
    else:
        yield NAMESPACES[request.param]


@pytest.fixture(params=_core.instruction_sets())
def instruction_set(request):
    """Each instruction set of this build that this CPU runs."""
    before = _core.instruction_set()
    _core.use_instruction_set(request.param)
    yield request.param
    _core.use_instruction_set(before)


@pytest.fixture
def rng():
    return np.random.default_rng(20_240_731)


@pytest.fixture
def quiet_transformers():
    """What transformers says of tiny random models is of no interest."""
    import transformers

    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    yield
    transformers.logging.set_verbosity(level)
