"""Numbers that nobody means, through every command: a sentence or an answer, never a traceback."""

import argparse
import json

import pytest

from yarncore.__main__ import main
from yarncore.commands.command import tokens

CONFIG = {
    "model_type": "qwen3", "head_dim": 128, "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 4,
    "max_position_embeddings": 40960, "rope_theta": 1e6,
}  # fmt: skip
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
LONGROPE = YARN | {"rope_type": "longrope", "short_factor": [1.0] * 64, "long_factor": [2.0] * 64}
COMMANDS = (
    "show {}", "show {} --json", "doctor {}", "doctor {} --json", "plan {} --to 131072", "plan {} --to 131072 --json",
    "plan {} --to 9007199254740991 --replace --json", "compare {} yarn:4 --json", "compare {} plain",
)  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"rope_scaling": YARN | {"factor": 1e308}},
        {"rope_scaling": LONGROPE | {"factor": 1e308}},
        {"rope_scaling": YARN | {"rope_type": "llama3", "factor": 1e308, "low_freq_factor": 1, "high_freq_factor": 4}},
        {"rope_scaling": {"rope_type": "linear", "factor": 1e308}},
        {"rope_scaling": {"rope_type": "dynamic", "factor": 1e308}},
        {"rope_scaling": YARN | {"attention_factor": 1e308}},
        {"rope_scaling": YARN, "rope_theta": 1e300},
        {"rope_scaling": YARN | {"beta_fast": 1e308}},
        {"rope_scaling": YARN, "max_position_embeddings": 2**53 - 1},
    ],
    ids=lambda changes: json.dumps(changes)[:60],
)
def test_a_number_far_too_large_is_no_traceback(changes, tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG | changes))
    for command in COMMANDS:
        status = main(command.format(path).split())
        output, errors = capsys.readouterr()
        assert status in (0, 1, 2)
        assert "too large or too small to compute" not in errors  # that sentence is for what nobody thought of
        if "--json" in command:
            assert json.loads(output)["schema"].startswith("yarncore/")
        if status == 2:
            assert errors.splitlines()[-1].startswith("yarncore: ")


@pytest.mark.parametrize(
    "typed", ["yarn:1e308", "yarn:nan", "pi:1e308", "ntk:1e308", "dynamic-yarn,max_factor=1e308", "yarn:-1"]
)
def test_a_typed_scale_far_too_large_is_no_traceback(typed, tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG))
    assert main(["compare", str(path), typed]) in (1, 2)
    assert main(["compare", str(path), "yarn:4", "--positions", "1" + "0" * 400]) == 2
    assert "too large or too small to compute" not in capsys.readouterr().err


def test_numbers_of_tokens_as_people_type_them():
    for typed in ("131072", "131,072", "131_072", "131072.0", "1.31072e5", "+131072"):
        assert tokens(typed) == 131072
    assert tokens("0") == 0 and tokens("-5") == -5  # refused where it is known what for
    assert tokens("9" * 30) == int("9" * 30)


@pytest.mark.parametrize(
    ("typed", "words"),
    [("128k", "may be 128000 or 131072"), ("1M", "may be 1000000 or 1048576"), ("128 KiB", "may be 128000 or 131072")],
)
def test_a_number_that_may_be_two_is_refused_with_both(typed, words):
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        tokens(typed)


@pytest.mark.parametrize("typed", ["", "x", "1.5", "131.072,5", "1e400", "nan", "9" * 5000, "1,31072"])
def test_what_is_no_number_of_tokens_is_named_in_short(typed):
    with pytest.raises(argparse.ArgumentTypeError, match="is no whole number; a number of tokens") as caught:
        tokens(typed)
    assert len(str(caught.value)) < 200
