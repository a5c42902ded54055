"""A ConfigWarning points to the line of the user's own code, however deep within the package its reason was found."""

import inspect
import warnings

import pytest

import yarncore as yc
from yarncore.reports.description import describe

# The length that it was trained on is missing (found in a method), and max_position_embeddings is that of the file.
CONFIG = {
    "model_type": "llama", "head_dim": 64, "rope_theta": 1e4, "max_position_embeddings": 4096,
    "rope_scaling": {"rope_type": "yarn", "factor": 2.0, "attn_factor": 1.0},
}  # fmt: skip


@pytest.mark.parametrize(
    "read",
    [
        lambda config: (inspect.currentframe().f_lineno, yc.from_config(config, strict=False)),
        lambda config: (inspect.currentframe().f_lineno, yc.from_config(config, None, None, False)),
        lambda config: (inspect.currentframe().f_lineno, yc.ropes_from_config(config, strict=False)),
        lambda config: (inspect.currentframe().f_lineno, describe(config, strict=False)),
    ],
    ids=["from_config", "from_config by position", "ropes_from_config", "describe"],
)
def test_it_names_the_line_that_called(read):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        line, _ = read(CONFIG)
    assert len(caught) >= 2
    assert {(warning.filename, warning.lineno) for warning in caught} == {(__file__, line)}
