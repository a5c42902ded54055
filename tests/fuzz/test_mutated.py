"""Mutated configurations and GGUF files are read or refused by a ConfigError; nothing else is raised, nothing hangs."""

import json

import pytest
from mutated import EXPECTED, RESULT, RUNS


@pytest.mark.parametrize("kind", RUNS)
def test_a_thousand_mutated_ones_are_read_or_refused(kind):
    found = RUNS[kind](1000, 11)
    assert not found.crashes, found.crashes[:3]
    assert found.reached() >= 0.6
    assert min(found.ends["read"], found.ends["refused"]) >= 100


def test_no_committed_outcome_is_another():
    result = json.loads(RESULT.read_text())
    for kind in RUNS:
        assert set(result[kind]["ends"]) <= EXPECTED
        assert result[kind]["reach a reader"] >= 0.6
    assert sum(sum(result[kind]["ends"].values()) for kind in RUNS) == result["count"] >= 100_000
