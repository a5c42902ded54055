"""The scales as a reader would write them, in Python's own floats; and tokens around their steps."""

import math

import numpy as np

import yarncore as yc

STEPS = yc.LogSteps(beta=0.1, original_length=64)
FROM_ONE = yc.LogSteps(beta=0.25, original_length=48, offset=1)
LOG_N = yc.LogN(original_length=64)
SCALES = [STEPS, FROM_ONE, LOG_N]


def factor(scale, p):
    """The factor at one position."""
    p = max(p, 0)
    if isinstance(scale, yc.LogSteps):
        return 1 + scale.beta * math.log(1 + (p + scale.offset) // scale.original_length)
    return max(1.0, math.log(p + 1) / math.log(scale.original_length))


def factors(scale, positions):
    """The same of many."""
    positions = np.asarray(positions)
    return np.array([factor(scale, p) for p in positions.ravel().tolist()]).reshape(positions.shape)


def positions_around_steps(rng, shape):
    """Some before the first step, some at a step and beside it, some far beyond, some negative."""
    chosen = rng.choice([0, 1, 46, 47, 48, 62, 63, 64, 65, 127, 128, 1000, 4999, -3], shape)
    return chosen.astype(np.int64)
