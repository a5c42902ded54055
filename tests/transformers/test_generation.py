"""generate() on an extended model: token for token what transformers' own YaRN generates, however it is called."""

import pytest
import torch
import transformers
from loaded import LENGTH, YARN, loaded, logits, noise, tokens

import yarncore as yc
from yarncore.transformers import extend, restore

PROMPT = 40
GREEDY = {"max_new_tokens": 3 * LENGTH - PROMPT, "do_sample": False, "pad_token_id": 0}


@pytest.fixture(scope="module", params=["llama", "mistral", "gpt_neox"])
def pair(request):
    """A model with transformers' YaRN, and one of the same weights that is extended to the same."""
    keys = {"mistral": {"sliding_window": 50}}.get(request.param, {})
    theirs = loaded(request.param, **keys, rope_parameters=YARN, max_position_embeddings=4 * LENGTH)
    ours = loaded(request.param, **keys)
    ours.load_state_dict(theirs.state_dict())
    extend(ours, factor=4)
    return theirs, ours


def padded():
    ids = tokens(PROMPT, batch=3)
    mask = torch.ones_like(ids)
    for row, count in enumerate((0, 9, 25)):
        mask[row, :count] = 0
        ids[row, :count] = 0
    return {"input_ids": ids, "attention_mask": mask}


HOW = {
    "greedy": {},
    "static cache": {"cache_implementation": "static", "disable_compile": True},
    "beams": {"num_beams": 3, "max_new_tokens": 24},
    "chunked prefill": {"prefill_chunk_size": 16},
    "looked up in the prompt": {"prompt_lookup_num_tokens": 3},
    "no cache": {"use_cache": False, "max_new_tokens": 40},
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("inputs", [lambda: {"input_ids": tokens(PROMPT)}, padded], ids=["one", "left-padded"])
def test_the_tokens_are_those_of_transformers(pair, how, inputs):
    theirs, ours = pair
    asked = {**inputs(), **GREEDY, **HOW[how]}
    if how == "looked up in the prompt" and (
        getattr(ours.config, "sliding_window", None) or len(asked["input_ids"]) > 1
    ):
        pytest.skip("transformers does that for one row, and crops no cache of a window")
    assert torch.equal(ours.generate(**asked), theirs.generate(**asked))


def test_a_padded_row_generates_what_it_does_alone(pair):
    _, ours = pair
    batch = padded()
    together = ours.generate(**batch, **GREEDY)
    for row in range(3):
        alone = batch["input_ids"][row : row + 1, batch["attention_mask"][row].bool()]
        assert torch.equal(ours.generate(alone, **GREEDY)[0, alone.shape[1] :], together[row, PROMPT:])


def test_an_assistant_changes_nothing(pair):
    theirs, ours = pair
    if getattr(ours.config, "sliding_window", None):
        pytest.skip("transformers crops no cache of a window")
    assistant = loaded(ours.config.model_type, seed=3, num_hidden_layers=1)
    extend(assistant, factor=4)
    found = ours.generate(tokens(PROMPT), assistant_model=assistant, **GREEDY)
    assert torch.equal(found, theirs.generate(tokens(PROMPT), **GREEDY))


def test_a_cache_goes_on_after_restore():
    model, plain = loaded(), loaded()
    extend(model)
    cache = transformers.DynamicCache(config=model.config)
    with torch.no_grad():
        model(tokens(20), cache=cache)
        restore(model)
        last = model(tokens(21)[:, -1:], cache=cache).logits
    assert (last[0, -1] - logits(plain, torch.cat([tokens(20), tokens(21)[:, -1:]], 1))[0, -1]).abs().max() < 1e-4


def test_rows_of_different_lengths_switch_lists_alone():
    """LongRoPE under a model: a row up to the original length has the short list though its neighbour has the long one."""
    longrope = yc.LongRoPE(short_factor=[1.0] * 8, long_factor=[4.0] * 8, original_length=LENGTH, factor=4.0)
    model = loaded()
    extend(model, longrope)
    ids, short = tokens(LENGTH + 20, batch=2), 30
    mask = torch.ones_like(ids)
    mask[1, :-short] = 0
    places = (mask.cumsum(-1) - 1).clamp(min=0)
    both = logits(model, ids, attention_mask=mask, position_ids=places)
    alone = logits(model, ids[1:, -short:])
    assert (both[1, -short:] - alone[0]).abs().max() < noise(alone)
