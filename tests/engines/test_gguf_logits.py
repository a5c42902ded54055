"""Files written here were run in llama.cpp: the record is of what is written now, and says that the logits were those of transformers."""

import json

import pytest
from gguf_logits import CASES, ORIGINAL, RESULT, rope_of, write_file

import yarncore as yc

RECORD = json.loads(RESULT.read_text())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
def test_the_logits_beyond_the_original_length_were_those_of_transformers(name, tmp_path):
    record, case = RECORD["records"][name], CASES[name]
    changed = write_file(tmp_path / "model.gguf", case)
    assert changed == record["changed"]
    assert yc.from_config(tmp_path / "model.gguf").at() == rope_of(case, case.scaling).at() or "attn_factor" in str(
        changed
    )
    assert repr(rope_of(case, case.scaling)) == record["rope"]
    assert max(record["within"], record["beyond"]) < 1e-3
    assert record["from the nearest other scaling"] > 0.1  # so that a wrong key would have shown


def test_the_record_goes_beyond_the_original_length_and_tells_who_ran():
    assert RECORD["tokens"] > 2 * RECORD["original length"] == 2 * ORIGINAL
    assert {"transformers", "torch", "xllamacpp"} <= set(RECORD["versions"])
    assert set(RECORD["records"]) == set(CASES)
