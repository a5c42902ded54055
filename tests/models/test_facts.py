"""The reader's table is what running says."""

import pytest
import transformers
from asked import Asked
from composites import composites
from facts import TABLE, committed, observed, single_and_quiet, text_of
from read_in_class import READ
from refused import REFUSED
from rotary_classes import text_models

# One of each kind of fact: keys of a base and of a part, layers that stand still, flags by layer, a base for each layer,
# a slice, sections, what the class supplies, what was read, and what is refused.
SAMPLE = (
    "exaone4", "flint", "gemma3_text", "gpt_neox", "granite_swa", "mistral4", "qwen3_vl_text", "smollm3",
)  # fmt: skip


@pytest.mark.parametrize(
    "model_type", [pytest.param(name, marks=pytest.mark.whole if name == "gemma3_text" else ()) for name in SAMPLE]
)
def test_a_row_of_the_table_is_what_running_says(model_type):
    with single_and_quiet():
        assert observed([model_type])[model_type] == committed()["types"][model_type]


def test_the_file_is_written_by_the_command():
    table = committed()
    assert table["transformers"] == transformers.__version__
    assert table["composites"] == composites()
    assert TABLE.read_text("utf-8") == text_of(table)


def test_a_class_that_is_asked_leaves_the_question_as_it_was():
    scaling = {"rope_type": "linear", "factor": 4.0}
    with single_and_quiet():
        asked = Asked("llama", text_models()["llama"])
        assert asked.ropes({"rope_scaling": scaling})[""]["factor"] == 4.0
    assert scaling == {"rope_type": "linear", "factor": 4.0}


def test_what_was_read_or_is_refused_stands_in_the_table():
    types = committed()["types"]
    for model_type, reason in REFUSED.items():
        assert types[model_type]["refuse"] == reason
    for model_type, read in READ.items():
        kept = {key: value for key, value in read.fields.items() if value is not None}
        assert kept.items() <= types[model_type].items()
