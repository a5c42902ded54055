"""yarncore compare: the same numbers in other words are the same; what differs is told in numbers."""

import json
import subprocess
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest

import yarncore as yc
from yarncore.__main__ import main
from yarncore.reports.comparison import compare

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "examples" / "configs"
FILES = sorted(CONFIGS.glob("*.json"))
pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")


def config(name, **changes):
    return json.loads((CONFIGS / f"{name}.json").read_text()) | changes


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_a_file_is_the_same_as_itself_in_the_words_of_transformers_5(file):
    found = compare(
        file, yc.to_config(yc.ropes_from_config(file), config=file, length=yc.ropes_from_config(file).advertised_length)
    )
    assert found.same
    assert all(not row.differs for layer in found.layers.values() for row in layer.rows)
    assert all(np.all(layer.radians == 0) for layer in found.layers.values())


def test_formats_of_the_same_rotation_are_the_same():
    rope = yc.Rope(128, 1e6, yc.YaRN(4.0, 32768))
    plain = {key: value for key, value in config("qwen3-8b-128k").items() if key != "rope_scaling"}
    hugging_face = yc.to_config(rope, config=plain)
    keys = {"general.architecture": "qwen3", "qwen3.context_length": 131072, "qwen3.attention.key_length": 128,
            "qwen3.rope.freq_base": 1e6, "qwen3.rope.scaling.type": "yarn", "qwen3.rope.scaling.factor": 4.0,
            "qwen3.rope.scaling.original_context_length": 32768}  # fmt: skip
    assert compare(hugging_face, keys).same
    for engine in ("vllm", "sglang"):
        flags = yc.to_config(rope, engine, config=plain)
        assert compare(flags, hugging_face, config=plain).same
        assert compare(hugging_face, flags).same  # the other side is the model


def test_every_parameter_that_counts_makes_them_different():
    same = config("gpt-oss-20b")
    for key, value in {
        "factor": 16.0,
        "beta_fast": 16.0,
        "beta_slow": 2.0,
        "truncate": True,
        "original_max_position_embeddings": 8192,
        "attention_factor": 1.0,
    }.items():
        other = same | {"rope_scaling": same["rope_scaling"] | {key: value}}
        found = compare(same, other)
        assert not found.same
        assert f"rope_scaling.{key}" in {name for name, *_ in found.keys}
        assert all(layer.difference for layer in found.layers.values())
    assert not compare(same, same | {"rope_theta": 10000.0}).same


def test_a_key_that_changes_no_number_is_told_and_leaves_them_the_same():
    found = compare(config("yi-6b-200k"), config("yi-6b-200k", vocab_size=1, architectures=["Other"]))
    assert found.same
    assert {key for key, *_ in found.keys} >= {"vocab_size"}


def test_the_same_numbers_for_another_length_are_not_the_same():
    found = compare(config("yi-6b-200k"), config("yi-6b-200k", max_position_embeddings=4096))
    assert not found.same
    assert found.length.differs
    assert all(not layer.difference for layer in found.layers.values())


def test_angles_are_those_of_exact_arithmetic():
    """Plain RoPE beside YaRN: theta (1 - gamma) (1 - 1/s) p, with gamma of eq. 18 worked out in 50 digits."""
    found = compare("plain", CONFIGS / "llama-2-7b-yarn-64k.json", positions=[1, 65535])
    (layer,) = found.layers.values()
    low, high = 20, 46  # floor and ceil of the ramp's bounds for L = 4096, betas 32 and 1
    with mpmath.workdps(50):
        for row, position in zip(layer.radians, (1, 65535), strict=True):
            for pair, radians in enumerate(row):
                theta = mpmath.mpf(10000) ** (mpmath.mpf(-2 * pair) / 128)
                gamma = 1 - min(max((mpmath.mpf(pair) - low) / (high - low), 0), 1)
                exact = position * ((1 - gamma) * theta / 16 + gamma * theta - theta)
                assert radians == pytest.approx(float(exact), rel=1e-12, abs=1e-12 * position)
    assert [(position, pair) for position, pair, _ in layer.worst()] == [(1, int(np.argmax(np.abs(layer.radians[0])))), (65535, int(np.argmax(np.abs(layer.radians[1]))))]  # fmt: skip


class TestTypedScalings:
    def test_it_is_put_on_the_model_of_the_other_side(self):
        assert compare(CONFIGS / "llama-2-7b-yarn-64k.json", "yarn:16").same
        assert compare("yarn:16", CONFIGS / "llama-2-7b-yarn-64k.json").same
        assert not compare(CONFIGS / "llama-2-7b-yarn-64k.json", "yarn:16,beta_fast=16").same

    def test_it_counts_from_the_original_length(self):
        found = compare(CONFIGS / "qwen3-8b-128k.json", "yarn:4")
        (layer,) = found.layers.values()
        assert layer.difference == ""
        assert (found.length.a, found.length.b) == ("40,960", "131,072")

    def test_layers_of_a_window_are_left_out(self):
        gemma = {"model_type": "gemma3_text", "head_dim": 256, "hidden_size": 2560, "num_attention_heads": 8,
                 "num_hidden_layers": 6, "sliding_window": 1024, "max_position_embeddings": 32768, "rope_theta": 1e6,
                 "rope_local_base_freq": 1e4}  # fmt: skip
        found = compare(gemma, "yarn:4")
        assert found.layers["sliding_attention"].difference == ""
        assert "pair" in found.layers["full_attention"].difference

    def test_a_file_of_that_name_is_a_file(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "plain").write_text(json.dumps(config("yi-6b-200k")))
        assert compare("plain", config("yi-6b-200k")).same


class TestOtherElements:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"rotary_start": 64}, "rotary_start"),
            ({"reversed": True}, "reversed"),
            ({"interleaved": True}, "interleaved"),
        ],
    )
    def test_a_layout_is_a_difference_without_a_number(self, changes, words):
        from yarncore.configs.difference import difference

        found = difference(yc.Rope(128, rotary_dim=64), yc.Rope(128, rotary_dim=64, **changes))
        assert words in str(found) and found.layout

    def test_it_has_no_angles(self):
        found = compare(
            config("deepseek-v3"), config("deepseek-v3", rope_interleave=False, model_type="llama", head_dim=64)
        )
        (layer,) = found.layers.values()
        assert layer.radians is None and layer.worst() == ()

    def test_layers_that_one_side_alone_rotates_are_named(self):
        smollm = {"model_type": "smollm3", "hidden_size": 2048, "num_attention_heads": 16, "num_hidden_layers": 4, "rope_theta": 5e6,
                  "max_position_embeddings": 65536}  # fmt: skip
        found = compare(smollm | {"no_rope_layers": [1, 1, 1, 0]}, smollm | {"no_rope_layers": [1, 1, 1, 1]})
        assert not found.same
        assert found.missing == ("no_rope / full_attention",)
        assert found.layers["full_attention"].difference == ""


def test_a_factor_of_queries_by_position_counts():
    from yarncore.configs.model_ropes import Evidence, ModelRopes
    from yarncore.query_scale import LogSteps
    from yarncore.reports.compared_side import Side
    from yarncore.reports.comparison import _layers

    one, other = yc.Rope(128), yc.Rope(128, query_scale=LogSteps(0.1, 8192))
    side = Side("a", "x", ModelRopes({"full_attention": one}, (), Evidence("none")), None)
    assert _layers(one, one, side, side, None).difference == ""
    found = _layers(one, other, side, side, None)
    assert "queries are multiplied by LogSteps" in found.difference
    assert found.rows[-3].differs and found.rows[-1].differs  # the factor, and the id


class TestErrors:
    @pytest.mark.parametrize(
        ("a", "b", "words"),
        [
            ("yarn:4", "ntk:4", "both scalings"),
            ("-", "-", "read once"),
            (str(FILES[0]), "yarn:x", "'x' is no number"),
            (str(FILES[0]), "yarn", "a factor is expected"),
            (str(FILES[0]), "/nowhere/config.json", "No such file"),
        ],
    )
    def test_what_cannot_be_compared_is_named_with_exit_2(self, a, b, words, capsys):
        assert main(["compare", a, b]) == 2
        output, errors = capsys.readouterr()
        assert output == "" and words in errors

    @pytest.mark.parametrize(("positions", "words"), [([], "empty"), ([True], "bool"), ([1.5], "1.5")])
    def test_positions_that_are_none(self, positions, words):
        with pytest.raises((TypeError, ValueError), match=words):
            compare(FILES[0], FILES[0], positions=positions)


class TestCommand:
    def test_exit_statuses_and_words(self, capsys):
        first, second = str(CONFIGS / "llama-2-7b-yarn-64k.json"), str(CONFIGS / "llama-2-7b-yarn-128k.json")
        assert main(["compare", first, first]) == 0
        assert "the same numbers, and the same length" in capsys.readouterr().out
        assert main(["compare", first, second, "--positions", "65535"]) == 1
        told = capsys.readouterr().out
        for words in (
            "rope_scaling.factor",
            "16.0",
            "32.0",
            "!=",
            "at position 65,535 pair 27 is -11.3226 radians away",
            "different numbers",
        ):
            assert words in told
        assert main(["compare", str(CONFIGS / "qwen3-8b-128k.json"), "yarn:4"]) == 1
        assert "the same numbers, and another length" in capsys.readouterr().out

    def test_json(self, capsys):
        first, second = str(CONFIGS / "deepseek-v2.json"), str(CONFIGS / "deepseek-v3.json")
        assert main(["compare", first, second, "--json"]) == 1
        told = json.loads(capsys.readouterr().out)
        assert told["schema"] == "yarncore/compare/1"
        (layer,) = told["layers"].values()
        assert len(layer["radians"]) == len(layer["positions"]) == 2
        assert len(layer["radians"][0]) == 32

    def test_one_side_may_come_from_a_pipe(self):
        path = CONFIGS / "yi-6b-200k.json"
        line = [sys.executable, "-m", "yarncore", "compare", "-", str(path)]
        assert subprocess.run(line, input=path.read_bytes(), cwd=ROOT, capture_output=True).returncode == 0


def test_a_small_difference_is_told_by_as_many_digits_as_it_needs():
    """It had been "turns 1 times as fast as it should"."""
    config = {"rope_theta": 1e6, "head_dim": 128, "num_attention_heads": 4, "max_position_embeddings": 4096}
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024, "attention_factor": 1.25}
    found = yc.compare(config | {"rope_scaling": yarn}, config | {"rope_theta": 1000001.0, "rope_scaling": yarn})
    assert found.layers["all layers"].difference == "pair 63 turns 0.999999 times as fast as it should"
    found = yc.compare(
        config | {"rope_scaling": yarn}, config | {"rope_scaling": yarn | {"attention_factor": 1.25000001}}
    )
    assert found.layers["all layers"].difference == "attention_factor 1.25000001 in place of 1.25"


def test_a_scaling_of_a_model_that_never_rotates_is_refused():
    """It had been "the same numbers"."""
    with pytest.raises(yc.ConfigError, match=r"never rotates q and k; yarn:4 has nothing to scale"):
        compare({"model_type": "nemotron_h", "head_dim": 128, "num_attention_heads": 4, "hidden_size": 512}, "yarn:4")
