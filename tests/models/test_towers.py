"""Vision towers, whose tokens turn by their row and their column: what is read is what their own modules do."""

import json
import re

import pytest
from facts import committed
from sweep import TABLE
from towers import handed, seen_tower, tower_difference, towers, twice

import yarncore as yc

ROWS = committed()["types"]
READ = [name for name in towers() if "pairs" in ROWS.get(name, {})]
REFUSED = [name for name in towers() if name not in READ]


# One of each order of sections, and of what positions there are; sweep.py runs all of them, and so does -m whole.
SAMPLE = ("qwen2_vl_vision", "pixtral", "kimi_k25_vision", "sam2_video", "minimax_m3_vl_vision", "inkling2_vision")


@pytest.mark.usefixtures("quiet_transformers")
@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
@pytest.mark.parametrize("spelled", ["object", "to_dict", "another base, heads twice as long"])
@pytest.mark.parametrize(
    "model_type", [pytest.param(name, marks=() if name in SAMPLE else pytest.mark.whole) for name in READ]
)
def test_a_tower_is_read_as_its_module_turns(model_type, spelled):
    config = towers()[model_type].config()()
    if spelled.startswith("another"):
        rule = ROWS[model_type]["head_dim"][""]
        key = rule["keys"][0] if rule["keys"] else rule["default"][0]
        length = seen_tower(towers()[model_type], config).dim
        usual = {**config.to_dict(), **({"head_dim": length} if key == "head_dim" else {})}
        longer = {**twice(usual, key), "rope_theta": 54321.0, "model_type": model_type}
        config = type(config).from_dict(longer)
        ropes = yc.ropes_from_config(
            {key: value for key, value in config.to_dict().items() if key != "rope_parameters"} | longer
        )
    else:
        ropes = yc.ropes_from_config(config if spelled == "object" else config.to_dict())
    tower = towers()[model_type]
    assert tower_difference(ropes, seen_tower(tower, config), handed(tower)) is None


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


@pytest.mark.usefixtures("quiet_transformers")
@pytest.mark.parametrize("model_type", ["edgetam_video", "sam2_video", "sam3_tracker_video", "sam3_vit_model"])
def test_what_sam_hands_its_rotary_module_begins_with_the_column(model_type):
    """The second token is that of the second column."""
    tower = towers()[model_type]
    maker = next(
        cls for cls in vars(tower.modeling()).values() if isinstance(cls, type) and hasattr(cls, "precompute_positions")
    )
    windows = [tower.config()().window_size] if model_type == "sam3_vit_model" else []
    assert maker.precompute_positions(tower.config()(), *windows)[1].tolist() == [1, 0]
    assert [name.split()[0] for name in handed(tower)] == ["column", "row"]


def test_the_mapping_tells_what_positions_are_and_one_rope_warns_where_they_are_unusual():
    config = {"model_type": "step3p5_vision", "rope_parameters": {"rope_type": "axial", "rope_theta": 1e4}}
    config |= {"hidden_size": 64, "num_attention_heads": 4}
    ropes = yc.ropes_from_config(config)
    assert ropes.positions == ("column", "row")
    assert "positions: column, row" in repr(ropes)
    with pytest.warns(yc.ConfigWarning, match="the positions of a token are, section by section: column, row"):
        assert yc.from_config(config) == yc.Rope(16, sections=(4, 4), section_order="axial")
    assert yc.ropes_from_config(config | {"model_type": "qwen3_5_vision"}).positions == ("row", "column")
