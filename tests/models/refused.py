"""Types whose running model does something else than the reader says; their files are refused until it says the same.

What differs was seen by sweep.py; facts.py puts these reasons into the table that the reader has.
"""

from typing import Any

REFUSED = {
    "bailing_hybrid": "under the dynamic method its model turns otherwise than is read",
    "clvp_encoder": "its model turns a part of the head that its file does not tell",
    "cohere_compass_text": "its model turns pairs by several positions, in an order that is not read yet",
    "dots3_note_text": "its model scales other layers than is read",
    "hrm_text": "its layers are run several times over, and which of them turn is not read yet",
    "hunyuan_vl_text": "what its model does to a head is no rotation pair by pair where a token's positions differ",
    "moonshine": "its encoder and its decoder have heads and layers of their own, under keys that are not read yet",
    "moshi_depth": "no rotation was seen in its model, and its file does not say so",
    "qwen2_5_omni_talker": "its model turns pairs by several positions, in an order that is not read yet",
    "qwen3_omni_moe_talker_text": "its model turns pairs by several positions, in an order that is not read yet",
    "qwen3_omni_moe_text": "its model turns pairs by several positions, in an order that is not read yet",
}


def with_refusals(types: dict[str, Any], sources: dict[str, str]) -> dict[str, Any]:
    """The rows of the types that have a source, with the reasons put in; a type without facts has a row of its reason alone."""
    refused = {
        name: {**types.get(name, {"source": source}), "refuse": REFUSED[name]}
        for name, source in sources.items()
        if name in REFUSED
    }
    return {**types, **refused}
