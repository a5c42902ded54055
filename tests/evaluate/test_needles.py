"""Needles in lm-eval: prompts are exact, the folder of tasks is usable as it is, and a grid is what was retrieved."""

import json
import os
import re
import subprocess
import sys

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from oracle import ANSWERS, Oracle
from tokenizers_in_code import bytes_tokenizer, merging_tokenizer

from yarncore.evaluate import TASKS, Grid
from yarncore.evaluate.needles import KINDS

TOKENIZERS = {"bytes": bytes_tokenizer, "merging": merging_tokenizer}
DEPTHS = [0.0, 0.3, 1.0]


def tasks(tokenizer, **metadata):
    return TaskManager(include_path=str(TASKS), include_defaults=False, metadata={"tokenizer": tokenizer, **metadata})


def documents(kind, tokenizer, **metadata):
    return tasks(tokenizer, **metadata).load([f"yarncore_{kind}"])["tasks"][f"yarncore_{kind}"].dataset["test"]


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_and_what_is_generated_have_exactly_the_length(kind, name):
    tokenizer, lengths = TOKENIZERS[name](), [750, 1001, 1500]
    found = documents(kind, tokenizer, lengths=lengths, depths=DEPTHS, samples=2)
    assert [(row["length"], row["depth"], row["sample"]) for row in found] == [
        (length, depth, sample) for length in lengths for depth in DEPTHS for sample in range(2)
    ]
    for row in found:
        assert len(tokenizer(row["input"]).input_ids) + row["generated"] == row["length"]
        assert set(row["answers"]) == set(ANSWERS[kind](row["input"]))
    assert len({row["input"] for row in found}) == len(found)


@pytest.mark.parametrize("kind", KINDS)
def test_the_needle_lies_at_its_depth(kind):
    for row in documents(kind, bytes_tokenizer(), lengths=[3000], depths=[0.0, 0.25, 0.5, 1.0]):
        opening, closing = row["input"].index("\n") + 1, row["input"].rindex("\n")
        where = (row["tokens_before_needle"] - opening) / (closing - opening)
        assert row["input"][row["tokens_before_needle"] :].startswith(("The pass key", "One of the special", "VAR"))
        # Of some 2,500 characters the other needles, which lie before or behind it, have up to 200, half a sentence 18.
        assert where == pytest.approx(row["depth"], abs=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_grid_is_what_an_oracle_retrieved(kind):
    def reads(length, depth):
        return depth != 1.0 and (length, depth) != (1001, 0.3)

    lengths, oracle = [750, 1001], Oracle(reads)
    task = f"yarncore_{kind}"
    results = simple_evaluate(
        oracle, tasks=[task], bootstrap_iters=0,
        task_manager=tasks(bytes_tokenizer(), lengths=lengths, depths=DEPTHS, samples=2),
    )  # fmt: skip
    grid = Grid.of(results["samples"][task])
    assert grid.lengths == tuple(lengths)
    assert grid.depths == tuple(DEPTHS)
    assert {place: (cell.score, cell.samples) for place, cell in grid.cells.items()} == {
        (length, depth): (2.0 * reads(length, depth), 2) for length in lengths for depth in DEPTHS
    }
    assert results["results"][task]["asked,none"] == 6 / 12  # lm-eval's own mean
    # What the model was asked is the document and nothing else: no description, no delimiter.
    assert sorted(oracle.asked) == sorted(sample["doc"]["input"] for sample in results["samples"][task])


def test_a_model_that_forgets_one_of_several_values_is_told_apart(monkeypatch):
    """RULER's share of all answers beside whether the one at the depth was named."""
    everything = ANSWERS["multi_value"]
    monkeypatch.setitem(ANSWERS, "multi_value", lambda prompt: everything(prompt)[1:])  # not the first in the text
    results = simple_evaluate(
        Oracle(lambda *_: True), tasks=["yarncore_multi_value"], bootstrap_iters=0,
        task_manager=tasks(bytes_tokenizer(), lengths=[900], depths=[0.0, 1.0]),
    )  # fmt: skip
    samples = results["samples"]["yarncore_multi_value"]
    assert [Grid.of(samples, "found").cells[900, depth].share for depth in (0.0, 1.0)] == [0.75, 0.75]
    assert [Grid.of(samples).cells[900, depth].share for depth in (0.0, 1.0)] == [0.0, 1.0]


def test_prompts_follow_from_the_seed_in_every_process():
    code = """
import sys
sys.path[:0] = ["tests/evaluate", "tests"]
from tokenizers_in_code import bytes_tokenizer
from test_needles import documents
print(documents("multi_key", bytes_tokenizer(), lengths=[600], depths=[0.5], seed=7)[0]["input"])
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    (here,) = documents("multi_key", bytes_tokenizer(), lengths=[600], depths=[0.5], seed=7)["input"]
    assert printed == here + "\n"
    assert documents("multi_key", bytes_tokenizer(), lengths=[600], depths=[0.5], seed=8)["input"] != [here]


def test_a_users_text_is_the_haystack(tmp_path):
    words = " ".join(f"Sentence number {n} has nothing to tell.\n" for n in range(100))
    (tmp_path / "text.txt").write_text(words)
    (row,) = documents("needle", merging_tokenizer(), lengths=[700], depths=[0.5], haystack=str(tmp_path))
    before, after = re.split(r"One of the special magic numbers for \S+ is: \d+\. ", row["input"])
    text = before.partition("\n")[2] + after.rpartition("\n")[0]
    assert " ".join(words.split()).startswith(text)
    assert len(merging_tokenizer()(row["input"]).input_ids) + row["generated"] == 700


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"depths": [0.5, 1.5]}, "depths has 1.5; numbers from 0"),
        ({"lengths": [64]}, "passkey at length 64, 16 of it generated: the question alone takes"),
        ({"lengths": [1]}, "at least 2 tokens"),
        ({"lengths": []}, "lengths is empty"),
        ({"haystack": "short.txt"}, "ends after"),
        ({"haystack": "zero.bin"}, "zero.bin is binary"),
        ({"haystack": "latin.txt"}, "latin.txt is no text in UTF-8"),
        ({"haystack": "empty"}, "empty holds no text"),
        ({"tokenizer": None}, "need a tokenizer"),
    ],
)
def test_what_cannot_be_made_is_an_error(metadata, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "short.txt").write_text("A short text. It ends.")
    (tmp_path / "zero.bin").write_bytes(b"ab\0c")
    (tmp_path / "latin.txt").write_bytes("Übung".encode("latin-1"))
    with pytest.raises(ValueError, match=says):
        documents("passkey", **{"tokenizer": bytes_tokenizer(), "lengths": [800], "depths": [0.5]} | metadata)


def test_wilsons_interval_is_the_score_tests():
    """The interval is where the score test does not reject: its ends solve (p^ - p)^2 = z^2 p (1 - p) / n."""
    from yarncore.evaluate import Cell

    for score, samples in [(0.0, 5), (5.0, 5), (3.0, 7), (1.0, 100)]:
        cell = Cell(score, samples)
        for end, exact in zip(cell.interval, (score == 0, score == samples), strict=True):
            assert exact == (end == cell.share)
            assert exact or (cell.share - end) ** 2 == pytest.approx(1.959963984540054**2 * end * (1 - end) / samples)


@pytest.mark.whole
def test_the_folder_serves_lm_evals_own_command(tmp_path):
    """Every backend of lm-eval takes it by --include_path; its dummy model needs no weights."""
    bytes_tokenizer().save_pretrained(tmp_path / "model")
    subprocess.run(
        [sys.executable, "-m", "lm_eval", "run", "--model", "dummy", "--include_path", str(TASKS), "--tasks", "yarncore_needles",
         "--metadata", json.dumps({"tokenizer": str(tmp_path / "model"), "lengths": [900], "depths": [0, 1]}),
         "--log_samples", "--output_path", str(tmp_path / "out")],
        check=True, capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    files = sorted((tmp_path / "out").rglob("samples_*.jsonl"))
    assert [re.search(r"yarncore_(\w+?)_20", path.name)[1] for path in files] == sorted(KINDS)
    for path in files:
        grid = Grid.of(map(json.loads, path.read_text().splitlines()))
        assert {place: cell.samples for place, cell in grid.cells.items()} == {(900, 0.0): 1, (900, 1.0): 1}
