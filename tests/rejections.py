"""Calls that are rejected, and how that is tested: the argument is named, nothing is written, the error is of the right kind."""

import numpy as np
import pytest


def case(what, error, match, call, name=""):
    """One wrong call, named by what is wrong with it."""
    return pytest.param(error, match, call, id=f"{what}{': ' + name if name else ''}")


def check_rejected(error, match, call):
    with pytest.raises((TypeError, ValueError), match=match) as caught:
        call()
    assert isinstance(caught.value, error)
    assert len(str(caught.value)) < 600


def q_array(shape=(2, 5, 3, 8), dtype=np.float32):
    return np.arange(np.prod(shape), dtype=np.float64).reshape(shape).astype(dtype)


def read_only():
    x = q_array()
    x.flags.writeable = False
    return x
