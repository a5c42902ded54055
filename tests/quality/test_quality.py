"""What mathematics forces of benchmarks/quality, on a model of a few steps; and that its questions and verdicts are what they say."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "quality"))

from corpus import ASK, END, KEYS, SET, VALUES, Corpus, standard_library
from findings import FAILS, HOLDS, SLOW_ONE, UNDECIDED, Judge, all_below, over_seeds, paired
from lookup import ITEM, LADDER, question, weave
from measuring import losses_under, questions, retrieved, windows_of
from parts import Measured, fitted, gathered
from training import Recipe, batch_of, new_model, rate, train

TINY = Recipe(steps=4, batch=2, length=64, layers=1, hidden=32, heads=1)


@pytest.fixture(scope="module")
def corpus():
    return standard_library(most_files=120)


@pytest.fixture(scope="module")
def model(corpus, tmp_path_factory):
    return train(corpus, TINY, tmp_path_factory.mktemp("cache"), lambda _: None)[0]


def test_dynamic_yarn_equals_plain_up_to_the_trained_length_and_not_beyond(corpus, model):
    windows = windows_of(corpus, 256, 16, 4, reported=True)
    plain, dynamic = (losses_under(model, typed, windows, [32, 64, 128]) for typed in ("plain", "dynamic-yarn"))
    assert (plain[32] == dynamic[32]).all()
    assert (plain[64] == dynamic[64]).all()
    assert (plain[128] != dynamic[128]).all()


def test_yarn_without_its_temperature_is_ntk_by_parts(corpus, model):
    windows = windows_of(corpus, 256, 16, 4, reported=True)
    bare, parts = (
        losses_under(model, typed, windows, [256])[256] for typed in ("yarn:4,attention_factor=1", "ntk-by-parts:4")
    )
    assert (bare == parts).all()


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(corpus, tmp_path):
    class Stopped(Exception):
        pass

    def stop(_):
        raise Stopped

    recipe = replace(TINY, steps=14)
    with pytest.raises(Stopped):  # at step 10; the last that was kept is 8
        train(corpus, recipe, tmp_path / "stopped", stop, save_every=4)
    (kept,) = (tmp_path / "stopped").glob("*.pt")
    assert torch.load(kept)["step"] == 8
    resumed, curve = train(corpus, recipe, tmp_path / "stopped", lambda _: None)
    whole, expected = train(corpus, recipe, tmp_path / "whole", lambda _: None)
    assert all(torch.equal(a, b) for a, b in zip(resumed.parameters(), whole.parameters(), strict=True))
    assert curve == expected


def test_files_are_held_out_whole_and_those_that_choose_are_never_reported(corpus):
    names = [{file.tobytes() for file in files} for files in (corpus.train, corpus.held_out)]
    assert not names[0] & names[1]
    joined = [
        b"\0".join(text.tobytes() for text in windows_of(corpus, 256, 16, 8, reported).texts)
        for reported in (True, False)
    ]
    held = [file.tobytes() for file in corpus.held_out if len(file) >= 256]
    for windows, files in zip(joined, (held[0::2], held[1::2]), strict=True):
        assert all(any(text in file for file in files) for text in windows.split(b"\0"))


@pytest.mark.parametrize("difficulty", LADDER, ids=str)
def test_a_question_has_one_answer_and_its_distractors(difficulty, rng):
    for depth in (0.0, 0.4, 1.0):
        text = rng.integers(32, 127, 512).astype(np.uint8)
        row, answer = question(rng, text, depth, difficulty)
        mark, *key, first, second, end = row[-ITEM:]
        assert (mark, end, answer) == (ASK, END, 3)
        items = [row[n : n + ITEM] for n in np.flatnonzero(row == SET)]
        assert len(items) == 1 + difficulty.distractors
        found = [item for item in items if list(item[1:3]) == key]
        assert len(found) == 1
        assert sum(item[1] == key[0] for item in items) >= 1 + difficulty.sharing
        value = found[0][3:5]
        assert list(value) == [first, second]
        where = int(np.flatnonzero([(row[n : n + 3] == [SET, *key]).all() for n in range(len(row) - ITEM)])[0])
        assert where / (len(row) - 2 * ITEM) == pytest.approx(depth, abs=0.03)


def test_a_model_that_answers_is_counted_and_one_that_does_not_is_not(corpus):
    class Answers(torch.nn.Module):
        """It predicts each next token of the rows that it was given, of every other row another one."""

        device = torch.device("cpu")

        def forward(self, input_ids, use_cache, logits_to_keep):
            logits = torch.nn.functional.one_hot(input_ids.roll(-1, 1), 256).float()
            logits[1::2] = logits[1::2].roll(1, -1)
            return type("Output", (), {"logits": logits[:, -logits_to_keep:]})

    rows, depths = questions(windows_of(corpus, 256, 16, 6, reported=True), 128, LADDER[1], 0)
    assert retrieved(Answers(), rows).tolist() == [True, False] * 3
    assert depths.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])


def test_woven_answers_follow_from_what_was_set_before(rng):
    for _ in range(20):
        row, weights = rng.integers(32, 127, 256).astype(np.uint8), np.ones(256, np.float32)
        weave(rng, row, weights)
        known = {}
        for n in np.flatnonzero((row == SET) | (row == ASK)):
            key, value = tuple(row[n + 1 : n + 3]), tuple(row[n + 3 : n + 5])
            assert set(key) <= set(KEYS)
            assert set(value) <= set(VALUES)
            if row[n] == SET:
                known[key] = value
                assert weights[n + 1 : n + 5].tolist() == [0, 0, 0, 0]
            else:
                assert known[key] == value
                assert weights[n + 1 : n + 5].tolist() == [0, 0, 4, 4]
        assert known


def test_batches_follow_from_the_seed_and_the_step(corpus):
    first, again, other = (batch_of(corpus, TINY, step)[0] for step in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert [rate(Recipe(steps=100), step) for step in (0, 12, 59)] == pytest.approx([1 / 13, 1, 1])
    assert rate(Recipe(steps=100), 99) == pytest.approx(1 - 0.95 * 39 / 40)


def test_short_rows_come_first_with_as_many_tokens_a_step(corpus):
    recipe = Recipe(steps=10)
    assert [recipe.at(step).length for step in (0, 2, 3, 9)] == [48, 48, 256, 256]
    for step in (0, 9):
        rows, weights = batch_of(corpus, recipe.at(step), step)
        assert 0 <= recipe.batch * recipe.length - rows.numel() < 48
        asks = (weights == 4).any(1)
        assert asks.all() if step == 0 else 0 < asks.sum() < len(asks)


def test_a_loss_that_is_no_number_stops_the_training_and_says_where(corpus, tmp_path):
    with pytest.raises(ValueError, match="at step 1 of seed 0"):
        train(corpus, replace(TINY, matrix_rate=float("inf")), tmp_path, lambda _: None)


def test_what_was_measured_is_not_measured_again(tmp_path):
    found = Measured(tmp_path / "found.json")
    assert found.part("losses plain", lambda: {"64": [1.0]}) == {"64": [1.0]}
    assert Measured(tmp_path / "found.json").part("losses plain", lambda: pytest.fail("measured again")) == {
        "64": [1.0]
    }


def test_a_verdict_is_that_of_paired_differences(rng):
    base = rng.normal(2, 0.5, 40)
    below = paired("a - b", base - 0.1 + rng.normal(0, 0.01, 40), base)
    above = paired("a - b", base, base - 0.1 + rng.normal(0, 0.01, 40))
    alike = paired("a - b", base + rng.normal(0, 0.1, 40), base)
    assert [all_below(each).verdict for each in ([below], [below, above], [below, alike])] == [HOLDS, FAILS, UNDECIDED]
    assert paired("", base, base).z == 0
    assert [
        over_seeds(each) for each in ([HOLDS, HOLDS, UNDECIDED], [HOLDS, FAILS], [HOLDS, UNDECIDED, UNDECIDED])
    ] == [HOLDS, UNDECIDED, UNDECIDED]


def test_the_judge_reads_losses_that_were_made_for_each_verdict():
    """Losses as the paper has them; and then each statement's own turned round."""

    def found(**changed):
        lift = {"plain": 1.0, "pi": 0.8, "ntk": 0.4, "ntk-by-parts": 0.2, "yarn": 0.1}
        wave = np.sin(np.arange(16.0))

        def losses(typed, times):
            name, _, s = typed.partition(":")
            s = float(s.partition(",")[0] or 1)
            past = max(0.0, times - s) if s > 1 else max(0.0, times - 1)
            bare = "ntk-by-parts" if "attention_factor" in typed else name
            return [float(v) for v in 1 + 0.01 * wave + lift[bare] * math.log2(1 + s) * 0.1 + 0.3 * past]

        made = {"losses": {}, "tuned": {}, "factors": {}, "retrieved": {}, "lookup": "not learned"}
        for typed in (
            "plain",
            "pi:4",
            "pi:8",
            "ntk:4",
            "ntk:8",
            "ntk-by-parts:4",
            "yarn:2",
            "yarn:4",
            "yarn:8",
            "yarn:4,attention_factor=1",
        ):
            made["losses"][typed] = {str(n): losses(typed, n / 64) for n in (32, 64, 128, 192, 256, 384, 512)}
        made["losses"]["dynamic-yarn"] = {
            str(n): made["losses"]["plain" if n <= 64 else f"yarn:{min(n // 64, 8)}"][str(n)]
            for n in (32, 64, 128, 256, 512)
        }
        made["losses"]["dynamic-pi"] = {
            str(n): [v + 0.2 for v in made["losses"]["dynamic-yarn"][str(n)]] for n in (128, 256, 512)
        }
        made["tuned"] = {
            typed: {"256": [1.0] * 16, "512": [1.0 + rise + 0.001 * n for n in range(16)]}
            for typed, rise in (("yarn:8", 0.0), ("ntk:8", 0.3))
        }
        made["factors"] = {
            s: {str(f): [abs(f - best)] for f in (1.0, 1.05, 1.15, 1.2)}
            for s, best in (("2", 1.05), ("4", 1.15), ("8", 1.2))
        }
        return made | changed

    verdicts = {name: verdict.verdict for name, verdict in Judge(found(), 64, "").all().items()}
    assert verdicts == {f"O{n}": HOLDS for n in range(1, 10)} | {"O8": UNDECIDED}
    turned = found()
    losses = turned["losses"]
    losses["yarn:4"], losses["ntk-by-parts:4"] = losses["ntk-by-parts:4"], losses["yarn:4"]
    losses["yarn:4,attention_factor=1"] = losses["ntk-by-parts:4"]
    judged = Judge(turned, 64, "").all()
    assert judged["O1"].verdict == judged["O9"].verdict == FAILS
    flat = found(factors={s: {"1.0": [0.0], "1.1": [1.0]} for s in ("2", "4", "8")})
    assert Judge(flat, 64, "").o6().verdict == FAILS
    tuned = found()
    tuned["tuned"]["ntk:8"], tuned["tuned"]["yarn:8"] = tuned["tuned"]["yarn:8"], tuned["tuned"]["ntk:8"]
    assert Judge(tuned, 64, "").o5().verdict == FAILS
    learned = found(
        retrieved={"yarn:4": {"256": [0.0] * 10 + [1.0] * 6}}, retrieved_tuned={"yarn:4": {"256": [1.0] * 16}}
    )
    assert Judge(learned, 64, "").o8().verdict == HOLDS


@pytest.mark.whole
def test_what_is_fitted_to_a_trained_model_is_what_a_sweep_of_the_same_texts_finds(corpus, tmp_path):
    """A small model that was really trained, for about a minute: its attention has something to sharpen."""
    recipe = Recipe(steps=250, length=64, layers=2, hidden=64, heads=1, intermediate=172, initial=0.1)
    model, _ = train(corpus, recipe, tmp_path, lambda _: None)
    unseen = windows_of(corpus, 256, 32, 96, reported=False)
    fit = fitted(model, unseen, 4, 64, "beta_fast=2,beta_slow=1")
    sweep = {
        factor: losses_under(model, f"yarn:4,attention_factor={factor},beta_fast=2,beta_slow=1", unseen, [256])[
            256
        ].mean()
        for factor in np.arange(0.9, 1.41, 0.02).round(2)
    }
    assert fit["best"] == pytest.approx(min(sweep, key=sweep.get), abs=0.05)
    assert fit["interval"][0] <= fit["best"] <= fit["interval"][1]
    assert 1 < fit["best"] < 1.4


def test_parts_are_gathered_by_what_they_are():
    found = {
        "betas": "b",
        "difficulty": {"rung": 0, "shares": [0.9]},
        "fits": {},
        "losses plain": 1,
        "tuned ntk:8": 2,
        "retrieved tuned ntk:8": 3,
        "retrieved ntk:8": 4,
        "factors 2": 5,
    }
    made = gathered(found, [{"lookup": 0.5}])
    assert (made["losses"], made["tuned"], made["factors"]) == ({"plain": 1}, {"ntk:8": 2}, {"2": 5})
    assert (made["retrieved"], made["retrieved_tuned"]) == ({"ntk:8": 4}, {"ntk:8": 3})
    assert "90%" in made["lookup"]


def test_the_report_has_a_row_for_each_statement(tmp_path, capsys, corpus):
    from report import write

    seed = {
        "losses": {typed: {"64": [1.0, 1.1]} for typed in ("plain", "pi:8", "ntk:8", "ntk-by-parts:8,beta_fast=2", "yarn:8,beta_fast=2", "dynamic-pi", "dynamic-yarn,beta_fast=2")},
        "factors": {s: {"1.0": [1.0], "1.1": [0.9]} for s in ("2", "4", "8")}, "tuned": {}, "betas": "beta_fast=2",
        "retrieved": {typed: {"64": [1.0] * 8 + [0.0] * 8, "256": [0.0] * 16} for typed in ("plain", "ntk:8", "yarn:8,beta_fast=2")},
        "retrieved_tuned": {typed: {"64": [1.0] * 16, "256": [1.0] * 4 + [0.0] * 12} for typed in ("ntk:8", "yarn:8,beta_fast=2", SLOW_ONE)},
        "verdicts": {"O1": {"verdict": HOLDS, "numbers": ["YaRN - parts -0.1"]}},
        "fits": {"4": {"best": 1.15, "interval": [1.1, 1.2], "thresholds": {"best": [2, 1], "interval": [[2, 1], [4, 1]]}}},
    }  # fmt: skip
    report = {
        "date": "today", "machine": "here", "versions": {"torch": "2"}, "command": "run.py", "seconds": 1.0, "statements": {"O1": "it does"},
        "recipe": {"layers": 1, "hidden": 2, "length": 64, "tokens": 8192, "dtype": "float32"}, "verdicts": {"O1": HOLDS}, "size": {"tune_steps": 2},
        "seeds": {"0": seed, "1": seed | {"retrieved": {}, "retrieved_tuned": {}}},
    }  # fmt: skip
    write(report, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "| O1 | it does | **holds** | holds, holds |" in text
    assert "| yarn:8 | 2.858 ± 0.00 |" in text
    assert json.loads((tmp_path / "results.json").read_text()) == report
    assert "after a short fine-tune at 4 L (4,096 tokens, 50.0% of the pretraining)" in text
    assert "| yarn:8 | 50% | 0% |" in text  # of the seed that learned to look up
    assert "| yarn:8, fine-tuned | 100% | 25% |" in text
    assert (
        "seed 0, s = 4: attention factor 1.150 (1.100 to 1.200; 0.1 ln s + 1 = 1.139), beta_fast, beta_slow [2, 1]"
        in text
    )
    assert "yarn:8" in (tmp_path / "perplexity.svg").read_text()
    assert "yarn:8, fine-tuned" in (tmp_path / "retrieval.svg").read_text()
    assert new_model(TINY).config.rope_parameters["rope_theta"] == 10_000.0
    assert isinstance(corpus, Corpus)
