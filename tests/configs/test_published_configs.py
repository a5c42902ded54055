"""Released models as their files stand: what each computes was worked out by hand, and none may be read as something else."""

import warnings

import numpy as np
import pytest
from golden_files import golden

import yarncore as yc

RECORDS = {record["name"]: record for record in golden("published")["records"]}
REFUSED = {
    "gte-large-en-v1.5 (type ntk)": r"rope_scaling\.type is 'ntk': .* no scaling here says yet",
    "grok-2": r"model_type 'git': .* what is missing is the model's own code",
}


def read(record):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", yc.ConfigWarning)
        return yc.ropes_from_config(record["config"])


@pytest.mark.parametrize("name", [name for name in RECORDS if name not in REFUSED])
def test_a_released_model_is_read_as_it_computes(name):
    wanted = RECORDS[name]["want"]
    ropes = read(RECORDS[name])
    assert ropes.evidence.kind in ("run", "cited")
    if wanted is None:
        assert set(ropes.values()) == {None}
        return
    for layer_type, expected in wanted.items():
        if layer_type:
            rope = ropes[layer_type]
        else:
            (rope,) = {rope for rope in ropes.values() if rope is not None}
        if expected is None:
            assert rope is None, layer_type
            continue
        assert rope is not None, layer_type
        if expected["inverse_frequencies"] is not None:
            np.testing.assert_allclose(
                rope.at(1).inverse_frequencies, expected["inverse_frequencies"], rtol=3e-6, atol=0
            )
        if expected["attention_factor"] is not None:
            assert rope.at(1).attention_factor == pytest.approx(expected["attention_factor"], abs=1e-6)
        for field in ("rotary_dim", "interleaved"):
            if expected[field] is not None:
                assert getattr(rope, field) == expected[field]


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
def test_two_are_refused_by_name_since_no_number_is_certain(name, strict):
    assert len(REFUSED) <= 2
    with pytest.raises(yc.ConfigError, match=REFUSED[name]):
        yc.ropes_from_config(RECORDS[name]["config"], strict=strict)


def test_the_records_number_48():
    assert len(RECORDS) == 48


class TestKeysThatReleasedFilesRepeat:
    @pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
    def test_the_advertised_length_within_a_rope_dict_must_be_that_beside_it(self):
        config = RECORDS["Mistral4 (max_position_embeddings inside)"]["config"] | {"max_position_embeddings": 65536}
        with pytest.raises(
            yc.ConfigError, match=r"rope_parameters\.max_position_embeddings is 1048576; 65536, the number"
        ):
            yc.ropes_from_config(config)

    def test_the_pairs_of_time_are_told_twice_and_must_agree(self):
        config = RECORDS["ERNIE-4.5-VL (remote)"]["config"]
        assert yc.from_config(config).sections == (20, 22, 22)
        assert yc.from_config(config | {"rope_scaling": None}) == yc.from_config(config)
        with pytest.raises(yc.ConfigError, match="freq_allocation is 22; 20, as mrope_section has it"):
            yc.from_config(config | {"freq_allocation": 22})
        with pytest.raises(yc.ConfigError, match="rope_3d is False"):
            yc.from_config(config | {"rope_3d": False})

    def test_attn_factor_is_warned_of(self):
        config = RECORDS["DeepSeek-R1-0528-Qwen3-8B (attn_factor)"]["config"]
        with pytest.warns(yc.ConfigWarning, match=r"attn_factor is 0\.878249: transformers does not read it"):
            assert yc.from_config(config).scaling == yc.YaRN(4.0, 32768)

    def test_heads_that_do_not_divide_are_rounded_down_only_where_the_code_does(self):
        config = RECORDS["DeepSeek-VL2 (language_config)"]["config"]
        with pytest.warns(yc.ConfigWarning) as caught:
            assert yc.from_config(config) == yc.Rope(204)
        assert any("takes 204 elements a head" in str(w.message) for w in caught)
