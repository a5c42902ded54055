"""Needles on a model of transformers: nothing is cut or padded, and what was answered is never asked again or taken for another's."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_models import tiny_llama
from tokenizers_in_code import bytes_tokenizer, merging_tokenizer

from yarncore.evaluate.harness import EqualLengths, Needles, record_of

MAKE = {"bytes": bytes_tokenizer, "merging": merging_tokenizer}


def model_for(tokenizer, **config):
    return tiny_llama(vocab_size=len(tokenizer), **config)


def asked_of(model):
    """Each batch that a model is asked to continue."""
    batches, generate = [], model.generate

    def listening(**inputs):
        batches.append(inputs)
        return generate(**inputs)

    model.generate = listening
    return batches


@pytest.mark.parametrize("name", MAKE)
def test_a_batch_has_rows_of_one_length_and_each_is_the_whole_document(name):
    tokenizer = MAKE[name]()
    needles = Needles(["passkey"], tokenizer, [480, 520], [0.0, 0.5, 1.0])
    model = model_for(tokenizer)
    batches = asked_of(model)
    needles.run(EqualLengths(model, tokenizer, 520, batch_size=2))
    assert [tuple(batch["input_ids"].shape) for batch in batches] == [(2, 504), (1, 504), (2, 464), (1, 464)]
    assert all(batch["attention_mask"].all() for batch in batches)
    rows = [row.tolist() for batch in batches for row in batch["input_ids"]]
    documents = [tokenizer(document["input"]).input_ids for document in needles.documents["passkey"]]
    assert sorted(rows) == sorted(documents)


def test_answers_are_those_of_plain_greedy_decoding():
    tokenizer = bytes_tokenizer()
    needles = Needles(["passkey", "two_hop"], tokenizer, [600], [0.0, 1.0])
    model = model_for(tokenizer)
    samples = needles.run(EqualLengths(model, tokenizer, 600, batch_size=2))["samples"]
    for sample in (sample for each in samples.values() for sample in each):
        tokens = tokenizer(sample["doc"]["input"], return_tensors="pt").input_ids
        for _ in range(sample["doc"]["generated"]):
            with torch.no_grad():
                following = model(tokens).logits[:, -1].argmax(-1, keepdim=True)
            if following.item() == tokenizer.eos_token_id:
                break
            tokens = torch.cat([tokens, following], -1)
        length = len(tokenizer(sample["doc"]["input"]).input_ids)
        assert sample["filtered_resps"] == [tokenizer.decode(tokens[0, length:])]


def test_a_prompt_that_would_be_cut_is_an_error_before_the_model_runs():
    tokenizer = bytes_tokenizer()
    needles = Needles(["passkey"], tokenizer, [480, 520], [0.0])
    model = model_for(tokenizer)
    batches = asked_of(model)
    with pytest.raises(
        ValueError, match="has 520 tokens with those to be generated, and 519 are allowed: it would be cut"
    ):
        needles.run(EqualLengths(model, tokenizer, 519))
    assert batches == []


def run_ten_by_ten(folder, most=None):
    """A grid of 10 x 10, ten prompts a batch; killed instead of the batch after `most`. Returns the answers."""
    tokenizer, model = bytes_tokenizer(), tiny_llama()
    needles = Needles(["passkey"], tokenizer, range(340, 440, 10), [n / 9 for n in range(10)])
    generate, batches = model.generate, itertools.count()

    def counted(**inputs):
        if next(batches) == most:
            os._exit(9)  # as a kill: nothing is closed
        with (folder / "asked").open("a") as log:
            log.write("".join(json.dumps(row.tolist()) + "\n" for row in inputs["input_ids"]))
        return generate(**inputs)

    model.generate = counted
    results = needles.run(EqualLengths(model, tokenizer, 430, batch_size=10), folder / "kept")
    return [sample["filtered_resps"] for sample in results["samples"]["yarncore_passkey"]]


def test_a_grid_of_ten_by_ten_that_was_killed_goes_on_without_repeating_a_batch(tmp_path):
    code = f"""
import sys
from pathlib import Path
sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[1])]}
from test_harness import run_ten_by_ten
run_ten_by_ten(Path({str(tmp_path)!r}), 4)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 9
    assert len((tmp_path / "asked").read_text().splitlines()) == 40
    answers = run_ten_by_ten(tmp_path)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert len(asked) == len(set(asked)) == 100
    # The one run and the other together give what one gives alone.
    (tmp_path / "whole").mkdir()
    assert run_ten_by_ten(tmp_path / "whole") == answers


def test_the_record_holds_answers_and_scores_and_no_prompt():
    tokenizer = bytes_tokenizer()
    needles = Needles(["multi_value"], tokenizer, [900], [0.5])
    record = json.loads(json.dumps(record_of(needles.run(EqualLengths(model_for(tokenizer), tokenizer, 900)))))
    (sample,) = record["samples"]["yarncore_multi_value"]
    assert sample["length"] == 900
    assert len(sample["answers"]) == 4
    assert "input" not in sample
    assert os.environ.get("HOME", "/") not in json.dumps(record)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"kinds": ["haystack"]}, r"needles is \['haystack'\]; one or more of passkey, needle"),
        ({"kinds": []}, r"needles is \[\]"),
        ({"samples": 0}, "samples is 0"),
    ],
)
def test_what_cannot_be_asked_is_an_error(changed, says):
    given = {"kinds": ["passkey"], "tokenizer": bytes_tokenizer(), "lengths": [500], "depths": [0.5]} | changed
    with pytest.raises(ValueError, match=says):
        Needles(**given)
