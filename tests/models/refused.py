"""Types whose running model does something else than a Rope says; their files are refused until it says the same.

What differs was seen by sweep.py, or read in the class that is named; facts.py puts these reasons into the table that the
reader has. Files are those of transformers 5.24.0.
"""

from typing import Any

# Wav2Vec2ConformerSelfAttention._apply_rotary_embedding and its copies: linear_q and linear_k come after it.
_BEFORE_PROJECTION = (
    "where position_embeddings_type is 'rotary' its model turns hidden states before they become queries and keys, and "
    "otherwise nothing"
)
# NeuCodecAttention and Xcodec2Attention say so in a comment above the call, with unsqueeze_dim=2.
_BY_HEAD = "its model turns each head by the number of the head, and not by the position of the token"
# rotate_queries_or_keys: sines and cosines of frequencies 0 .. n/2 - 1 are repeated whole, and pairs are (2i, 2i + 1).
_TWO_FREQUENCIES = "its model gives the two elements of each pair (2i, 2i+1) the angles of two different frequencies, which is no rotation"

REFUSED = {
    "esmfold2": "its atoms turn by their place in space and by the residue that they are of (EsmFold2RotaryEmbedding)",
    "hunyuan_vl_text": "what its model does to a head is no rotation pair by pair where a token's positions differ",
    "neucodec": _BY_HEAD,
    "qwen2_5_omni_dit": "its model turns the first head alone, which no Rope says",
    "seamless_m4t": _BEFORE_PROJECTION,
    "vjepa2": _TWO_FREQUENCIES,
    "wav2vec2-bert": _BEFORE_PROJECTION,
    "wav2vec2-conformer": _BEFORE_PROJECTION,
    "xcodec2": _BY_HEAD,
}


def with_refusals(types: dict[str, Any], sources: dict[str, str]) -> dict[str, Any]:
    """The rows of the types that have a source, with the reasons put in; a type without facts has a row of its reason alone."""
    refused = {
        name: {**types.get(name, {"source": source}), "refuse": REFUSED[name]}
        for name, source in sources.items()
        if name in REFUSED
    }
    return {**types, **refused}
