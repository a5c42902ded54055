"""What is known of a type of model: run, cited or nothing; and what follows where it is nothing."""

import json
import re
import warnings
from pathlib import Path

import pytest
import transformers

import yarncore as yc
from yarncore.__main__ import main
from yarncore.configs.huggingface.cited import CITED
from yarncore.configs.huggingface.facts import facts_of
from yarncore.reports.description import describe

UNKNOWN = {
    "model_type": "mystery", "hidden_size": 512, "num_attention_heads": 8, "rope_theta": 1e4, "max_position_embeddings": 4096,
    "num_hidden_layers": 4,
}  # fmt: skip
WITHOUT_TYPE = {key: value for key, value in UNKNOWN.items() if key != "model_type"}


@pytest.mark.parametrize(
    ("config", "whose"), [(UNKNOWN, "model_type 'mystery'"), (WITHOUT_TYPE, "a model without model_type")]
)
def test_an_unknown_type_is_read_by_its_keys_with_a_warning_that_says_so(config, whose):
    with pytest.warns(yc.ConfigWarning, match=f"{whose} is not known here: its code was neither run nor read"):
        ropes = yc.ropes_from_config(config)
    assert dict(ropes) == {"full_attention": yc.Rope(64)}
    assert ropes.evidence.kind == "none"


def test_a_type_that_was_run_or_read_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = yc.ropes_from_config(UNKNOWN | {"model_type": "llama"})
        cited = yc.ropes_from_config(UNKNOWN | {"model_type": "kimi_k2", "qk_rope_head_dim": 32})
    assert (run.evidence.kind, cited.evidence.kind) == ("run", "cited")
    assert run.evidence.source == "transformers 5.24.0, models/llama/modeling_llama.py"
    assert cited.evidence.source.startswith(
        "github.com/vllm-project/vllm, vllm/model_executor/models/deepseek_v2.py, commit "
    )


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(("keys", "cannot_tell"), [
    ({"qk_rope_head_dim": 64}, "whether the softmax factor of its scaling is applied"),
    ({"rope_scaling": {"type": "mrope", "mrope_section": [8, 12, 12]}}, "the order of its sections"),
    ({"layer_types": ["full_attention", "sliding_attention"] * 2}, "which layers rotate"),
    ({"layer_types": ["linear_attention"] * 4}, "which layers rotate"),
    ({"no_rope_layers": [1, 0, 1, 1]}, "which layers rotate"),
    ({"no_rope_layer_interval": 4}, "which layers rotate"),
    ({"hybrid_override_pattern": "M*M*"}, "which layers rotate"),
    ({"swa_rope_theta": 5e5}, "which layers have which base"),
    ({"compress_rope_theta": 5e5}, "which layers have which base"),
], ids=lambda value: next(iter(value)) if isinstance(value, dict) else "")  # fmt: skip
@pytest.mark.parametrize("config", [UNKNOWN, WITHOUT_TYPE], ids=["unknown", "without type"])
def test_what_keys_alone_cannot_tell_is_refused_by_name(config, keys, cannot_tell, strict):
    sign = next(iter(keys))
    with pytest.raises(yc.ConfigError, match=rf"config: {sign}.*neither run nor read, do not tell {cannot_tell}"):
        yc.ropes_from_config(config | keys, strict=strict)


@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
def test_layer_types_that_leave_nothing_open_are_read_for_an_unknown_type():
    assert dict(yc.ropes_from_config(UNKNOWN | {"layer_types": ["full_attention"] * 4})) == {
        "full_attention": yc.Rope(64)
    }
    by_label = {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}
    named = {"layer_types": ["full_attention", "sliding_attention"] * 2, "rope_parameters": by_label}
    ropes = yc.ropes_from_config({key: value for key, value in UNKNOWN.items() if key != "rope_theta"} | named)
    assert dict(ropes) == {"full_attention": yc.Rope(64, 1e6), "sliding_attention": yc.Rope(64, 1e4)}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(("key", "value", "was_read"), [
    ("swa_rope_theta", 5e5, "base 10000"), ("compress_rope_theta", 5e5, "base 10000"),
    ("rotary_emb_fraction", 0.5, "rotary_dim 64"), ("rope_pct", 0.5, "rotary_dim 64"), ("attn_rotary_emb", 32, "rotary_dim 64"),
    ("rotary_emb_interleaved", True, "interleaved pairs False"), ("kv_channels", 32, "head_dim 64"),
])  # fmt: skip
def test_known_keys_that_nobody_reads_and_that_decide_the_number_are_never_dropped(key, value, was_read, strict):
    config = UNKNOWN | {"model_type": "llama", key: value}
    with pytest.raises(yc.ConfigError, match=rf"config: {key} is {value}, .* what was read makes {was_read}"):
        yc.ropes_from_config(config, strict=strict)


@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
@pytest.mark.parametrize(("key", "value", "rope"), [
    ("rotary_emb_fraction", 0.5, yc.Rope(64, rotary_dim=32)), ("rope_pct", 0.5, yc.Rope(64, rotary_dim=32)),
    ("attn_rotary_emb", 32, yc.Rope(64, rotary_dim=32)), ("rotary_emb_interleaved", True, yc.Rope(64, interleaved=True)),
    ("kv_channels", 32, yc.Rope(32)),
])  # fmt: skip
def test_an_unknown_type_has_them_read_whether_strict_or_not(key, value, rope):
    for strict in (True, False):
        assert yc.from_config(UNKNOWN | {key: value}, strict=strict) == rope


@pytest.mark.parametrize("model_type", ["gpt2", "bloom", "bert", "nemotron_h"])
def test_a_model_that_never_rotates_has_no_rope_and_from_config_says_so(model_type):
    config = {"model_type": model_type, "hidden_size": 512, "num_attention_heads": 8, "num_hidden_layers": 3}
    assert set(yc.ropes_from_config(config).values()) == {None}
    for layer_type in (None, "full_attention"):
        with pytest.raises(yc.ConfigError, match=f"a model of type '{model_type}' as configured here never rotates"):
            yc.from_config(config, layer_type)


@pytest.mark.parametrize("strict", [True, False])
def test_a_model_that_turns_backwards_is_read_so(strict):
    config = {"model_type": "nanochat", "hidden_size": 512, "num_attention_heads": 8, "rope_theta": 10_000.0}
    assert yc.from_config(config, strict=strict) == yc.Rope(64, 10_000.0, reversed=True)
    assert yc.ropes_from_config(config).evidence.kind == "run"


@pytest.mark.parametrize(("model_type", "layer_types", "turning"), [
    ("qwen3_next", ["linear_attention", "linear_attention", "linear_attention", "full_attention"], {"full_attention"}),
    ("exaone_moe", ["sliding_attention", "full_attention"], {"sliding_attention"}),
    ("cohere2", ["sliding_attention", "full_attention"], {"sliding_attention"}),
    ("lfm2", ["conv", "full_attention"], {"full_attention"}),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
def test_every_name_in_layer_types_is_a_key_and_none_where_its_layers_do_not_rotate(model_type, layer_types, turning):
    config = {
        "model_type": model_type, "hidden_size": 512, "num_attention_heads": 8, "head_dim": 64, "layer_types": layer_types,
        "num_hidden_layers": len(layer_types),
    }  # fmt: skip
    ropes = yc.ropes_from_config(config)
    assert set(layer_types) <= set(ropes)
    assert {name for name in layer_types if ropes[name] is not None} == turning
    assert [rope is not None for rope in ropes.layers] == [name in turning for name in layer_types]


@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
@pytest.mark.parametrize(("name", "expected"), [
    ("Ministral3Config", {
        "full_attention": yc.Rope(
            128, 1e6, yc.YaRN(16.0, 16384, mscale=1.0, mscale_all_dim=1.0), query_scale=yc.LogSteps(0.1, 16384)
        ),
    }),
    ("Mistral4Config", {
        "full_attention": yc.Rope(
            64, 1e4, yc.YaRN(128.0, 8192, mscale=1.0, mscale_all_dim=1.0), interleaved=True,
            query_scale=yc.LogSteps(0.1, 8192),
        ),
    }),
    ("Lfm3Config", {
        "conv": None, "sliding_attention": yc.Rope(128, 1e4), "full_attention": yc.Rope(128, 1e6, yc.Proportional(0.5)),
    }),
    ("DoryConfig", {"sliding_attention": yc.Rope(256, 1e4), "full_attention": yc.Rope(256, 1e7), "mlp": None}),
])  # fmt: skip
def test_configurations_that_transformers_makes_of_nothing_are_read(name, expected):
    import transformers

    config = getattr(transformers, name)()
    assert dict(yc.ropes_from_config(config)) == expected
    assert dict(yc.ropes_from_config(config.to_dict())) == expected


class TestWhereItIsTold:
    def test_the_mapping_and_its_repr(self):
        ropes = yc.ropes_from_config(UNKNOWN | {"model_type": "llama"})
        assert "evidence: its module was run: transformers 5.24.0, models/llama/modeling_llama.py" in repr(ropes)

    @pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
    def test_a_description_and_what_is_printed(self, tmp_path, capsys):
        path = tmp_path / "config.json"
        path.write_text(json.dumps(UNKNOWN))
        assert describe(UNKNOWN).evidence == yc.ropes_from_config(UNKNOWN).evidence
        assert main(["show", str(path)]) == 0
        assert re.search(r"evidence +none: its keys alone", capsys.readouterr().out)
        assert main(["show", str(path), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["evidence"] == {"kind": "none", "source": ""}


def test_chatglm_turns_half_of_each_head_by_a_base_times_its_ratio():
    """get_rope(head_dim, rotary_dim=head_dim // 2, base=10000 * rope_ratio, is_neox_style=False)."""
    config = {
        "model_type": "chatglm", "hidden_size": 4096, "num_attention_heads": 32, "kv_channels": 128, "num_layers": 40,
        "seq_length": 131072, "multi_query_group_num": 2, "original_rope": True, "rope_ratio": 500,
    }  # fmt: skip
    with pytest.warns(
        yc.ConfigWarning, match="no key beside a rope dict gives the base of model_type 'chatglm'; it is 10000"
    ):
        ropes = yc.ropes_from_config(config)
    assert dict(ropes) == {"full_attention": yc.Rope(128, 5e6, rotary_dim=64, interleaved=True)}
    assert (ropes.evidence.kind, len(ropes.layers), ropes.key_heads) == ("cited", 40, 2)
    with (
        pytest.warns(yc.ConfigWarning, match="is not known here"),
        pytest.raises(yc.ConfigError, match="rope_theta is missing"),
    ):
        yc.ropes_from_config(config | {"original_rope": False})


def test_every_citation_names_repository_file_and_a_whole_commit():
    for rows in CITED.values():
        for row in rows:
            assert re.fullmatch(r"github\.com/[\w-]+/[\w-]+", row["repository"])
            assert row["file"].endswith(".py")
            assert re.fullmatch(r"[0-9a-f]{40}|v\d+\.\d+\.\d+", row["commit"])  # a release names one


def test_a_type_that_serves_two_models_is_told_apart_by_its_keys():
    assert facts_of("xlm-roberta", {}).rotates is False
    assert facts_of("xlm-roberta", {"position_embedding_type": "rotary"}).evidence.kind == "cited"
    assert facts_of("git", {}).refuse is None
    assert facts_of("deepseek_v2", {"qk_rope_head_dim": 64, "qk_nope_head_dim": 128}).evidence.kind == "run"


OF_TRANSFORMERS = [
    name for name, rows in CITED.items() if rows[-1]["repository"].endswith("/transformers") and "rotates" in rows[-1]
]


@pytest.mark.parametrize("model_type", OF_TRANSFORMERS)
def test_no_attention_of_a_type_that_is_said_to_stand_still_calls_a_rotation(model_type):
    (row,) = [row for row in CITED[model_type] if row.get("rotates") is False]
    source = Path(transformers.__file__).parents[1] / row["file"].removeprefix("src/")
    assert not re.search(r"(?<!def )apply_rotary_(pos_)?emb\(", source.read_text())


def test_baichuan_of_13b_has_alibi_and_that_of_7b_rotates():
    config = {"model_type": "baichuan", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 2}
    with pytest.warns(yc.ConfigWarning):
        assert yc.from_config(config | {"rope_theta": 10000.0}).head_dim == 128
    with pytest.raises(yc.ConfigError, match=r"never rotates|no rotation"):
        yc.from_config(config | {"hidden_size": 5120, "num_attention_heads": 40})


def test_hunyuan_vl_is_refused_by_name():
    with pytest.raises(yc.ConfigError, match=r"hunyuan_vl_text.*no rotation pair by pair"):
        yc.from_config(
            {"model_type": "hunyuan_vl_text", "hidden_size": 1024, "num_attention_heads": 16, "rope_theta": 1e4}
        )


def test_the_formats_are_those_of_the_dialects_in_their_order():
    from yarncore.configs.dialects import dialects

    assert tuple(dialect.NAME for dialect in dialects()) == yc.FORMATS
