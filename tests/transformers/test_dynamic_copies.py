"""Models under scalings that follow the length: copied, restored, used by several threads."""

import copy
import pickle
import threading

import pytest
import torch
from dynamic_runs import tokens
from transformers import DynamicCache
from twelve_kinds import KINDS, L

import yarncore as yc
from yarncore.transformers import extend, restore


def extended(name="llama3", **how):
    model = KINDS[name].make("eager", torch.float32)
    extend(model, KINDS[name].scaling, replace=True, **how)
    return model


@torch.no_grad()
def decoded(model, rows=1, seed=1):
    cache = DynamicCache(config=model.config)
    ids = tokens(rows, 40, seed)
    found = [model(input_ids=ids[:, :10], cache=cache).logits[:, -1]]
    return torch.stack(found + [model(input_ids=ids[:, i : i + 1], cache=cache).logits[:, -1] for i in range(10, 40)])


@pytest.mark.parametrize("name", ["llama3", "deepseek_v3"])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_follows_its_own_caches_and_is_restored_alone(copied, name):
    model = KINDS[name].make("eager", torch.float32)
    plain = decoded(model)
    extend(model, KINDS[name].scaling, replace=True)
    expected = decoded(model)
    twin = copied(model)
    assert torch.equal(decoded(twin), expected)
    restore(twin)
    assert torch.equal(decoded(twin), plain)
    assert torch.equal(decoded(model), expected)
    restore(model)
    assert torch.equal(decoded(model), plain)
    decoder = KINDS[name].decoder(model)
    assert not decoder._forward_hooks and not decoder._forward_pre_hooks


def test_extending_again_leaves_one_follower():
    model = extended()
    expected = decoded(model)
    for keys in ("unrotated", "rerotated"):
        extend(model, KINDS["llama3"].scaling, replace=True, keys=keys)
    assert torch.equal(decoded(model), expected)
    assert len(model.model._forward_pre_hooks) == 1


def test_threads_may_share_a_model():
    model = extended()
    expected = [decoded(model, rows, seed) for rows, seed in ((1, 2), (2, 3), (3, 4))]
    found = [None] * 3

    def run(index, rows, seed):
        found[index] = decoded(model, rows, seed)

    threads = [threading.Thread(target=run, args=(i, i + 1, i + 2)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)


def test_casts_after_extending_are_followed():
    model = extended().to(torch.bfloat16)
    exact = extended()
    a, b = decoded(model).float(), decoded(exact)
    assert (a - b).pow(2).mean().sqrt() < 0.1 * b.pow(2).mean().sqrt()


def test_an_error_while_extending_leaves_no_hook():
    model = KINDS["gpt_neox"].make("eager", torch.float32)
    with pytest.raises(ValueError):
        extend(model, yc.DynamicYaRN(4 * L, softmax_mscale=1.0), original_length=L, replace=True)
    assert not model.gpt_neox._forward_pre_hooks
