"""Records that engines left when they were run are replayed: what is said of each is what it did."""

import json
from pathlib import Path

import numpy as np
import pytest

import yarncore as yc
from yarncore.configs.engines.engine import RopeKeys, Shape
from yarncore.configs.engines.examined import named

RECORDS = [json.loads(path.read_text()) for path in sorted((Path(__file__).parent / "records").glob("*.json"))]
EACH = [
    pytest.param(record, one, id=f"{record['engine']}: {one['name']}")
    for record in RECORDS
    for one in record["records"]
]
pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")


def said(record, one):
    engine = named(record["engine"])
    keys = RopeKeys(one["rope"], "config", "rope_parameters")
    shape = Shape(record["dim"], False, record["max_position"], None)
    return yc.Rope(record["dim"], record["base"], engine.scaling(engine.kind(keys), keys, shape))


@pytest.mark.parametrize(("record", "one"), EACH)
def test_an_engine_did_what_is_said_of_it(record, one):
    if "error" in one:
        with pytest.raises(yc.ConfigError):
            said(record, one)
        return
    rotation = said(record, one).at(record["max_position"])
    np.testing.assert_allclose(rotation.inverse_frequencies, one["inv_freq"], rtol=1e-5)
    assert rotation.attention_factor == pytest.approx(one["m"], rel=1e-5)


def test_each_record_tells_version_and_date():
    assert RECORDS
    for record in RECORDS:
        assert record["versions"][record["engine"]] == named(record["engine"]).VERSION
        assert len(record["date"]) == 10
