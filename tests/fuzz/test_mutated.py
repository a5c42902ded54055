"""Mutated configurations are read or refused by a ConfigError; nothing else is raised, nothing hangs."""

import json

import pytest
from mutated import EXPECTED, RESULT, run


@pytest.mark.parametrize("number", [11, 12])
def test_a_thousand_mutated_configurations_are_read_or_refused(number):
    found, crashes = run(1000, number)
    assert not crashes, crashes[:3]
    assert found["read"] + found["refused"] >= 600  # reach a reader
    assert min(found["read"], found["refused"]) >= 100


def test_no_committed_outcome_is_another():
    result = json.loads(RESULT.read_text())
    assert set(result["ends"]) <= EXPECTED
    assert sum(result["ends"].values()) == result["count"] >= 100_000
