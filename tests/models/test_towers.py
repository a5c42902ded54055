"""Vision towers, whose tokens turn by their row and their column: what is read is what their own modules do."""

import json
import re

import pytest
from facts import committed
from sweep import TABLE
from towers import seen_tower, tower_difference, towers

import yarncore as yc

ROWS = committed()["types"]
READ = [name for name in towers() if "pairs" in ROWS.get(name, {})]
REFUSED = [name for name in towers() if name not in READ]


@pytest.mark.usefixtures("quiet_transformers")
@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
@pytest.mark.parametrize("spelled", ["object", "to_dict", "another base, heads twice as long"])
@pytest.mark.parametrize("model_type", READ)
def test_a_tower_is_read_as_its_module_turns(model_type, spelled):
    config = towers()[model_type].config()()
    if spelled.startswith("another"):
        width = ROWS[model_type]["head_dim"][""]["default"][0]
        longer = {width: 2 * getattr(config, width), "rope_theta": 54321.0, "model_type": model_type}
        config = type(config).from_dict(longer)
        rope = yc.from_config(
            {key: value for key, value in config.to_dict().items() if key != "rope_parameters"} | longer
        )
    else:
        rope = yc.from_config(config if spelled == "object" else config.to_dict())
    assert tower_difference(rope, seen_tower(towers()[model_type], config)) is None


@pytest.mark.usefixtures("quiet_transformers")
@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
@pytest.mark.parametrize("model_type", REFUSED)
def test_a_tower_that_no_rope_says_is_refused_by_name(model_type):
    reason = ROWS.get(model_type, {}).get("refuse", "deals the pairs to them is not known here")
    with pytest.raises(yc.ConfigError, match=re.escape(reason)):
        yc.from_config(towers()[model_type].config()().to_dict())


def test_the_sweeps_table_has_each_tower_as_equal_or_refused():
    table = json.loads(TABLE.read_text())["towers"]
    assert [name for name, outcome in table.items() if outcome == "equal"] == READ
    assert [name for name, outcome in table.items() if outcome.startswith("refused: ")] == REFUSED


def test_a_tower_takes_no_other_method():
    with pytest.raises(yc.ConfigError, match="rope_type is 'linear'; axial, the only one"):
        yc.from_config(
            {
                "model_type": "qwen3_vl_vision",
                "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4},
            }
        )


def test_axial_in_a_type_that_nobody_ran_is_refused():
    config = {"model_type": "mystery", "head_dim": 64, "rope_parameters": {"rope_type": "axial", "rope_theta": 1e4}}
    with (
        pytest.warns(yc.ConfigWarning),
        pytest.raises(yc.ConfigError, match="how the class of model_type 'mystery' deals"),
    ):
        yc.from_config(config)
