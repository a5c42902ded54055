"""Some of the random calls that the sanitizers see by the hundred thousand."""

import numpy as np
import pytest
from paged_fuzz import one_append, one_move


@pytest.mark.parametrize("call", [one_append, one_move])
def test_random_calls_agree_with_the_reference(call, instruction_set):
    for seed in range(150):
        call(np.random.default_rng([7, seed]))
