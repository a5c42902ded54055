"""yarncore plan: it finds what was published, says where the original length is from, and writes what the engine reads."""

import json
import math
import re

import numpy as np
import pytest
from golden_files import records

import yarncore as yc
from yarncore.__main__ import main
from yarncore.reports.planning import plan
from yarncore.reports.prompt_lengths import PromptLengths, read, typed

pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
PLAIN = {"rope_theta": 1e4, "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 2}


@pytest.fixture
def published(configs):
    return lambda name: json.loads((configs / f"{name}.json").read_text())


@pytest.fixture
def configs(request):
    return request.config.rootpath / "examples" / "configs"


def unscaled(config, **changes):
    return {
        key: value for key, value in config.items() if key not in ("rope_scaling", "initial_context_length")
    } | changes


# name, target, what its file was before it was extended, the published factor and original length
PUBLISHED = [
    ("qwen2.5-7b-128k", 131072, {"max_position_embeddings": 32768}, 4, 32768),
    ("qwen3-8b-128k", 131072, {}, 4, 32768),  # it advertises 40960
    ("llama-2-7b-yarn-64k", 65536, {"max_position_embeddings": 4096}, 16, 4096),
    ("llama-2-7b-yarn-128k", 131072, {"max_position_embeddings": 4096}, 32, 4096),
    ("mistral-7b-yarn-128k", 131072, {"max_position_embeddings": 8192}, 16, 8192),
    ("deepseek-v3", 163840, {"max_position_embeddings": 4096}, 40, 4096),
    ("gpt-oss-20b", 131072, {"max_position_embeddings": 4096}, 32, 4096),
]


class TestPublishedSettings:
    @pytest.mark.parametrize(
        ("name", "target", "before", "factor", "original"), PUBLISHED, ids=lambda value: str(value)[:20]
    )
    def test_a_plan_from_the_unextended_model_finds_the_published_scale(
        self, published, name, target, before, factor, original
    ):
        made = plan(unscaled(published(name), **before), target)
        assert (made.factor, made.smallest_factor, made.original_length) == (factor, factor, original)
        theirs = yc.ropes_from_config(published(name))
        assert set(made.layers) == set(theirs)
        for layer_type, layer in made.layers.items():
            assert layer.rope.scaling == theirs[layer_type].scaling

    @pytest.mark.parametrize(
        ("name", "target", "before", "factor", "original"), PUBLISHED, ids=lambda value: str(value)[:20]
    )
    @pytest.mark.parametrize("replace", [False, True])
    def test_a_plan_from_the_extended_model_keeps_what_suffices(
        self, published, name, target, before, factor, original, replace
    ):
        made = plan(published(name), target, replace=replace)
        assert made.ropes == dict(yc.ropes_from_config(published(name)))
        assert made.factor == factor
        assert yc.ropes_from_config(made.setting) == yc.ropes_from_config(published(name))
        assert yc.ropes_from_config(made.setting).advertised_length == target

    @pytest.mark.parametrize("record", records("published"), ids=lambda record: record["name"])
    def test_twice_what_a_published_file_advertises_is_planned_or_refused_with_a_reason(self, record):
        try:
            found = yc.ropes_from_config(record["config"], strict=False)
        except yc.ConfigError:
            return  # which files are read is tested with the reader
        target = 2 * (found.advertised_length or 4096)
        try:
            made = plan(record["config"], target, original_length=None if found.advertised_length else 4096)
        except (yc.ConfigError, ValueError) as error:
            why = str(error)
        else:
            why = ""
        if why:
            assert re.search("never rotates|nothing published|no other scaling stands on|several|cannot express", why)
            return
        for layer in made.layers.values():
            assert layer.rope.scaling.context_factor() * made.original_length >= target * (1 - 1e-12)
            assert layer.unseen_after == ()
        if found.advertised_length:
            assert yc.ropes_from_config(made.setting, strict=False).advertised_length == target


class TestOriginalLength:
    def test_the_caller_comes_first(self, published):
        made = plan(published("qwen3-8b-128k"), 131072, original_length=16384)
        assert (made.original_length, made.original_from) == (16384, "as given")

    def test_a_length_that_contradicts_the_file_counts_and_is_told(self, published):
        told = "L is 32,768 as given, and not 4,096: the configuration's own original_max_position_embeddings"
        for target in (131072, 262144):
            assert told in plan(published("gpt-oss-20b"), target, original_length=32768).notes
        assert not plan(published("gpt-oss-20b"), 131072, original_length=4096).notes
        assert not plan(published("yi-6b-200k"), 400_000, original_length=100_000).notes  # the file states none

    def test_then_the_file(self, published):
        assert "own original_max_position_embeddings" in plan(published("qwen3-8b-128k"), 131072).original_from

    def test_then_who_is_cited(self, published):
        made = plan(unscaled(published("qwen3-8b-128k")), 131072)
        assert "QwenLM/Qwen3" in made.original_from and "commit" in made.original_from
        # Qwen3-2507 advertises 262144 and was trained for it.
        later = plan(unscaled(published("qwen3-8b-128k"), max_position_embeddings=262144), 524288)
        assert later.original_length == 262144

    def test_a_file_of_deepseek_v3_without_its_scaling_is_known_by_its_code(self, published):
        made = plan(unscaled(published("deepseek-v3")), 163840)  # which it advertises still
        assert (made.factor, made.original_length) == (40, 4096)
        assert "inference/model.py" in made.original_from and "commit" in made.original_from

    def test_an_engine_that_reads_gguf_files_asks_for_one(self, published):
        with pytest.raises(yc.ConfigError, match=r"a file of huggingface, and llama\.cpp reads a GGUF file"):
            plan(published("qwen3-8b-128k"), 131072, engine="llama.cpp")

    def test_mistral_7b_of_version_0_1_is_known_by_all_of_its_keys(self):
        keys = {
            "model_type": "mistral", "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 32,
            "max_position_embeddings": 32768, "rope_theta": 10000.0, "sliding_window": 4096,
        }  # fmt: skip
        made = plan(keys, 131072)
        # as NousResearch/Yarn-Mistral-7b-128k has it
        assert (made.original_length, made.factor) == (8192, 16)
        assert "huggingface/transformers" in made.original_from and "commit" in made.original_from
        later = (
            {"rope_theta": 1e6, "sliding_window": None},
            {"rope_theta": 1e6},
            {"sliding_window": None},
            {"num_key_value_heads": 32},
        )
        for other in (*later, {"model_type": "llama"}):
            assert plan(keys | other, 131072).original_length == 32768

    def test_then_what_the_file_advertises_which_is_said(self, published):
        made = plan(published("yi-6b-200k"), 400_000)
        assert made.original_from.startswith("max_position_embeddings, since")

    def test_a_file_that_advertises_nothing_needs_the_caller(self):
        config = {"head_dim": 64, "rope_theta": 1e4, "num_attention_heads": 4}
        with pytest.raises(yc.ConfigError, match="original_length is needed"):
            plan(config, 8192)
        assert plan(config, 8192, original_length=2048).factor == 4

    def test_other_formats_say_it_in_their_own_words(self):
        keys = {"general.architecture": "qwen3", "qwen3.context_length": 131072, "qwen3.attention.key_length": 128,
                "qwen3.rope.freq_base": 1e6, "qwen3.rope.scaling.type": "yarn", "qwen3.rope.scaling.factor": 4.0,
                "qwen3.rope.scaling.original_context_length": 32768}  # fmt: skip
        made = plan(keys, 65536, replace=True)
        assert (made.original_length, made.factor, made.engine) == (32768, 2.0, "gguf")
        assert made.setting["qwen3.rope.scaling.factor"] == 2.0
        assert plan(keys, 65536, replace=True, engine="llama.cpp").setting[:4] == [
            "--rope-scaling",
            "yarn",
            "--rope-scale",
            "2",
        ]


class TestWhatItSays:
    def test_within_the_original_length_nothing_is_scaled(self, published):
        made = plan(published("yi-6b-200k"), 100_000)
        assert (made.factor, made.method) == (1, "plain RoPE")
        assert made.changed_keys == {} and made.removed_keys == ()
        (layer,) = made.layers.values()
        assert layer.rope.scaling is None and layer.unseen_before == () == layer.unseen_after

    def test_a_larger_scale_of_its_own_stays_unless_a_smaller_one_is_asked_for(self, published):
        kept = plan(published("deepseek-v3"), 131072)
        assert (kept.factor, kept.smallest_factor) == (40, 32)
        assert any("s = 32 would be enough" in note for note in kept.notes)
        assert kept.setting == published("deepseek-v3")
        smaller = plan(published("deepseek-v3"), 131072, replace=True)
        (layer,) = smaller.layers.values()
        assert layer.rope.scaling == yc.YaRN(32, 4096, mscale=1.0, mscale_all_dim=1.0, softmax_mscale=1.0)
        assert any("is replaced" in note for note in smaller.notes)

    def test_a_temperature_of_the_former_scale_goes_and_that_is_said(self, published):
        config = published("qwen3-8b-128k")
        config["rope_scaling"]["attention_factor"] = 1.0
        made = plan(config, 262144)
        (layer,) = made.layers.values()
        assert layer.rope.scaling == yc.YaRN(8, 32768)
        assert any("attention_factor 1 belongs to the former s" in note for note in made.notes)

    def test_a_method_that_nothing_published_extends_is_refused(self, published):
        assert plan(published("llama-3.1-8b"), 131072).method == "Llama3"
        with pytest.raises(yc.ConfigError, match=r"Llama3\(.*reaches 131072.*nothing published"):
            plan(published("llama-3.1-8b"), 262144)

    def test_temperatures_are_those_of_the_formulas(self, published):
        (qwen,) = plan(published("qwen3-8b-128k"), 131072).layers.values()
        assert qwen.temperature_of_cos_sin == pytest.approx((0.1 * math.log(4) + 1) ** 2)
        assert qwen.temperature_of_logits == 1
        (deepseek,) = plan(published("deepseek-v3"), 163840).layers.values()
        assert deepseek.temperature_of_cos_sin == 1
        assert deepseek.temperature_of_logits == pytest.approx((0.1 * math.log(40) + 1) ** 2)

    @pytest.mark.parametrize(("name", "target"), [(name, target) for name, target, *_ in PUBLISHED])
    def test_pairs_that_meet_new_angles_are_those_of_a_count_over_all_positions(self, published, name, target):
        """Which angles of [0, 2 pi) lie near one that was met within L, counted on a grid."""
        made = plan(published(name), target)
        layer = next(iter(made.layers.values()))

        def new(theta, scaled):
            steps = 4096
            met = np.zeros(steps, dtype=bool)
            met[np.floor(theta * np.arange(made.original_length) / (2 * np.pi) % 1 * steps).astype(int)] = True
            first_gap = steps if met.all() else int(np.argmin(met))
            last = theta * made.original_length * scaled / theta * target / made.original_length
            return first_gap < steps and last / (2 * np.pi) * steps > first_gap + 1

        before = yc.Rope(layer.rope.head_dim, layer.rope.base).inverse_frequencies
        after = layer.rope.at(target).inverse_frequencies
        slow = [pair for pair, theta in enumerate(before) if theta * made.original_length < 2 * np.pi]
        assert tuple(pair for pair in slow if new(before[pair], before[pair])) == layer.unseen_before
        assert tuple(pair for pair in slow if new(before[pair], after[pair])) == layer.unseen_after == ()

    def test_layers_of_a_window_stay_where_they_can_be_told_apart(self):
        gemma = {"model_type": "gemma3_text", "head_dim": 256, "hidden_size": 2560, "num_attention_heads": 8,
                 "num_hidden_layers": 6, "sliding_window": 1024, "max_position_embeddings": 32768, "rope_theta": 1e6,
                 "rope_local_base_freq": 1e4}  # fmt: skip
        made = plan(gemma, 131072)
        assert list(made.layers) == ["full_attention"]
        assert made.unscaled_layers == ("sliding_attention",)
        read_back = yc.ropes_from_config(made.setting)
        assert read_back["sliding_attention"].scaling is None
        assert read_back["full_attention"].scaling == yc.YaRN(4, 32768)

    def test_the_cache_is_what_its_layers_keep(self, published):
        made = plan(published("deepseek-v3"), 163840)
        assert made.cache_bytes == 61 * 163840 * (512 + 64) * 2
        assert made.cache_bytes_within == 61 * 4096 * (512 + 64) * 2
        assert plan(published("deepseek-v3"), 163840, cache_dtype="float8").cache_bytes == made.cache_bytes // 2

    def test_the_budget_of_the_paper(self, published):
        first, second = plan(published("yi-6b-200k"), 400_000).budgets
        assert (first.factor, first.steps, first.tokens) == (16, 400, 400 * 64 * 2**16)
        assert (second.factor, second.steps) == (32, 200)


class TestSettings:
    @pytest.mark.parametrize("engine", ["vllm", "sglang"])
    def test_flags_are_read_back_as_the_rope_and_the_length(self, published, engine):
        config = unscaled(published("qwen3-8b-128k"))
        made = plan(config, 131072, engine=engine)
        found = yc.ropes_from_config(made.setting, config=config, format=engine)
        assert found.advertised_length == 131072
        assert found["full_attention"] == made.ropes["full_attention"]

    @pytest.mark.parametrize("engine", [None, "mlx-lm"])
    def test_a_configuration_is_read_back_as_the_rope_and_the_length(self, published, engine):
        made = plan(unscaled(published("qwen3-8b-128k")), 131072, engine=engine)
        found = yc.ropes_from_config(made.setting, format=engine)
        assert found.advertised_length == 131072
        assert found["full_attention"].at().id == made.ropes["full_attention"].at().id
        assert set(made.changed_keys) == {"max_position_embeddings", "rope_parameters"}

    def test_an_engine_that_cannot_be_told_so_is_an_error(self, published):
        with pytest.raises(yc.ConfigError, match=r"genai .* cannot express"):
            plan(unscaled(published("qwen3-8b-128k")), 131072, engine="genai")

    def test_a_command_line_is_no_model(self):
        with pytest.raises(yc.ConfigError, match="only changes one"):
            plan("vllm serve m --max-model-len 5", 131072)


class TestLengths:
    @pytest.mark.parametrize("given", [{2048: 3, 40000: 1}, [2048, 2048, 40000, 2048], {"2048": 3, "40000": 1.0}])
    def test_a_histogram_in_every_form(self, given, published):
        made = plan(published("qwen3-8b-128k"), lengths=given, replace=True)
        assert (made.target_length, made.factor) == (40000, 40000 / 32768)
        assert [reach.share for reach in made.reaches] == [0.75, 1.0]
        assert [reach.length for reach in made.reaches] == [32768, 40000]

    @pytest.mark.parametrize(
        "text", ["[2048, 40000, 2048]", '{"2048": 2, "40000": 1}', "2048 2\n40000 1\n", "# tokens, prompts\n\n2048, 2\n40000", "2048:2\n40000:1"]
    )  # fmt: skip
    def test_a_file_in_every_form(self, text, tmp_path):
        path = tmp_path / "lengths"
        path.write_text(text)
        assert read(str(path)).counts == ((2048, 2), (40000, 1)) == typed([str(path)]).counts
        assert typed(["2048:2", "40000"]).counts == ((2048, 2), (40000, 1))

    @pytest.mark.parametrize(
        ("given", "words"),
        [([], "no prompt"), ([0], "a length of lengths is 0"), ({5: -1}, "a count of lengths is -1"), ({5: 0}, "no prompt"),
         ({"x": 1}, "a length of lengths is 'x'"), ([float("nan")], "a length of lengths is nan"), (5, "lengths is 5"),
         ([True], "a length of lengths is True"), ([1.5], "a length of lengths is 1.5")],
    )  # fmt: skip
    def test_what_is_no_histogram_is_named(self, given, words):
        with pytest.raises((TypeError, ValueError), match=words):
            PromptLengths.of(given)

    @pytest.mark.parametrize(
        "raw", [b"", b"[" * 10_000, b"\xff\xfe", b"12 x", b"[1, null]", b'{"a": 1}', b"1 2 3", b"9" * 5000]
    )
    def test_a_bad_file_is_a_config_error_that_names_it(self, raw, tmp_path):
        path = tmp_path / "lengths"
        path.write_bytes(raw)
        with pytest.raises(yc.ConfigError, match=str(path)):
            read(str(path))

    def test_prompts_beyond_the_target_are_told(self, published):
        made = plan(published("qwen3-8b-128k"), 65536, lengths={1000: 99, 100_000: 1})
        assert "1.00% of the prompts are longer than 65,536 tokens" in made.notes


class TestCommand:
    def test_it_prints_what_to_write(self, capsys, configs):
        assert main(["plan", str(configs / "yi-6b-200k.json"), "--to", "400000", "--engine", "vllm"]) == 0
        told = capsys.readouterr().out
        for words in (
            "200,000 tokens",
            "the smallest sufficient is 2",
            "pairs 44 to 63",
            "with it no pair",
            "--max-model-len 400000",
            "GiB",
        ):
            assert words in told

    def test_json(self, capsys, configs):
        assert main(["plan", str(configs / "gpt-oss-20b.json"), "--lengths", "1000:9", "131072:1", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["schema"] == "yarncore/plan/1"
        assert told["factor"] == 32
        assert told["layers"]["full_attention"]["rope"].startswith("Rope(")
        assert told["reaches"][0]["share"] == 0.9

    def test_the_whole_configuration_is_written_to_a_file(self, capsys, configs, tmp_path):
        out = tmp_path / "config.json"
        assert main(["plan", str(configs / "yi-6b-200k.json"), "--to", "400000", "--write", str(out)]) == 0
        assert yc.from_config(out).scaling == yc.YaRN(2, 200_000)
        assert json.loads(out.read_text())["hidden_size"] == 4096

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], "--to is missing"),
            (["--to", "0"], "--to is 0"),
            (["--to", "131072", "--original-length", "0"], "original_length is 0"),
            (["--to", "131072", "--engine", "vlm"], 'did you mean "vllm"?'),
            (["--to", "131072", "--cache-dtype", "int4"], "cache_dtype is 'int4'"),
            (["--lengths", "5:x"], "5:x"),
            (["--lengths", "5", "x"], "lengths has 'x'"),
        ],
    )
    def test_wrong_calls_are_one_line_and_exit_2(self, arguments, words, capsys, configs):
        assert main(["plan", str(configs / "qwen3-8b-128k.json"), *arguments]) == 2
        output, errors = capsys.readouterr()
        assert output == ""
        assert words in errors.splitlines()[-1]
