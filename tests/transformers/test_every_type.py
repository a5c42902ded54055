"""Every type of model that rotates is extended, or refused by name."""

import json
import warnings

import pytest
from every_type import PAGE, ROWS, TABLE, rows_of
from every_type_page import page
from rotary_classes import text_models

# One of each kind: plain; another layout, inside and outside the function; a part of the head, cut inside and before;
# one array a call; tables of half a width, complex, sin before cos; a rope for each layer type, a module for each, a module
# in each layer; layers without rotation; several positions a token; latent attention, with layouts by the configuration,
# with an indexer, twice in a layer, and turned back; pairs that turn the other way.
SAMPLE = (
    "llama", "cohere", "glm", "gpt_neox", "phi", "gemma3n_text", "gpt_oss", "llama4_text", "gptj", "gemma3_text", "granite_swa",
    "moshi", "smollm3", "nanochat", "qwen2_vl_text", "qwen3_vl_text", "deepseek_v2", "deepseek_v3", "deepseek_v4", "axk2",
    "longcat_flash",
)  # fmt: skip
REFUSED = ("mistral_large4_text", "hunyuan_vl_text")
COMMITTED = json.loads(TABLE.read_text())["types"]
pytestmark = pytest.mark.usefixtures("quiet_transformers")
FINE = ("equal", "no YaRN", "no plain rope", "not tried", "refused", "not built")


@pytest.mark.parametrize("model_type", SAMPLE)
def test_a_row_of_the_table_is_what_extending_gives(model_type):
    rows = rows_of(model_type, text_models()[model_type])
    assert rows == COMMITTED[model_type]
    assert rows["rotation"] == "fused" and rows["plain"] == rows["restored"] == "equal"


def test_a_model_that_drops_out_of_cos_and_sin_gets_tables_of_them():
    rows = rows_of("lasr_encoder", text_models()["lasr_encoder"])
    assert rows == COMMITTED["lasr_encoder"]
    assert "dropout is applied to cos and sin" in rows["rotation"]
    assert rows["plain"] == rows["yarn"] == rows["restored"] == "equal"


@pytest.mark.parametrize("model_type", REFUSED)
def test_what_no_rope_says_is_refused(model_type):
    rows = rows_of(model_type, text_models()[model_type])
    assert rows == COMMITTED[model_type]
    assert rows["plain"].startswith("refused: ")


@pytest.mark.parametrize("model_type", sorted(COMMITTED))
def test_no_committed_row_differs(model_type):
    rows = COMMITTED[model_type]
    assert tuple(rows) == ("rotation", *ROWS)
    assert all(rows[name].startswith(FINE) for name in ROWS), rows


def test_the_table_has_every_type_that_rotates():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert set(COMMITTED) == set(text_models())


def test_the_page_is_made_of_the_table():
    assert PAGE.read_text() == page(json.loads(TABLE.read_text()))
