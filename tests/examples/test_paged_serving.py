"""examples/paged_serving.py: requests of different scales in one pool are what each is alone."""

import runpy

from documents import ROOT


def test_requests_served_together_have_the_logits_of_each_alone():
    cache, difference = runpy.run_path(str(ROOT / "examples" / "paged_serving.py"))["serve"]()
    assert 0 < difference < 1e-12
    assert len(cache.ticks_of_steps) > 10
    for event in ("blocks reused", "prefixes shared", "blocks copied on a step", "requests swapped out"):
        assert cache.events[event] > 0, event
    assert len(cache.free) == len(set(cache.free)) == 120 and not any(cache.users.values())
