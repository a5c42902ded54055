"""Models of transformers that run, and what from_config reads from their configurations."""

import json
import warnings
from pathlib import Path

import pytest
import transformers
from rotary_classes import text_models
from spellings import SPELLINGS
from sweep import NOT_REACHED, PAGE, TABLE, rows_of
from sweep_page import page

# One of each kind: plain, interleaved, part of a head, several positions, bases by layer type, latent attention, layers
# that stand still, an encoder and a decoder of one configuration.
SAMPLE = (
    "llama",
    "glm",
    "gptj",
    "phi3",
    "stablelm",
    "gpt_neox",
    "qwen2_vl_text",
    "qwen3_vl_text",
    "gemma3_text",
    "deepseek_v3",
    "cohere2",
    "smollm3",
    "moonshine",
)
COMMITTED = json.loads(Path(TABLE).read_text())
OUTCOMES = {"equal", "refused", "no module", "not built"}


@pytest.mark.parametrize("model_type", SAMPLE)
def test_what_is_read_is_what_the_running_model_does(model_type, quiet_transformers):
    rows = rows_of(model_type, text_models()[model_type])
    assert tuple(rows) == SPELLINGS
    assert "equal" in rows.values()
    assert {row.split(":")[0] for row in rows.values()} <= OUTCOMES, rows


@pytest.mark.parametrize("model_type", sorted(COMMITTED["types"]))
def test_no_committed_row_differs(model_type):
    rows = COMMITTED["types"][model_type]["rows"]
    assert tuple(rows) == SPELLINGS
    assert {row.split(":")[0] for row in rows.values()} <= OUTCOMES, rows
    assert NOT_REACHED not in rows.values()


def test_the_table_has_every_type_that_rotates():
    if transformers.__version__ != COMMITTED["transformers"]:
        pytest.skip(f"the table is of transformers {COMMITTED['transformers']}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert set(COMMITTED["types"]) == set(text_models())


def test_the_page_is_made_of_the_table():
    assert Path(PAGE).read_text() == page(COMMITTED)
