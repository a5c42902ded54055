"""What no run of a small model shows, and was read in the class instead: type -> fields, where, and why no run shows it.

Files are those of transformers 5.24.0, below src/transformers.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Read:
    """Fields of Facts that were read in code.

    Attributes
    ----------
    fields : dict
        None takes away what was seen.
    where : str
        File and line.
    why : str
        Why it is not seen.
    """

    fields: dict[str, Any]
    where: str
    why: str


_OF_WIDTH = {"head_dim": {"": {"keys": [], "default": "hidden/heads"}}}

READ: dict[str, Read] = {
    "codegen": Read(
        _OF_WIDTH,
        "models/codegen/modeling_codegen.py: self.head_dim = self.embed_dim // self.num_attention_heads",
        "its rotation is given the first rotary_dim elements of a head, never the head",
    ),
    "exaone_moe": Read(
        {"still_while": "sliding_window"},
        "models/exaone_moe/modeling_exaone_moe.py:185: if self.sliding_window is None or self.is_sliding",
        "its configuration class refuses a file without a window, which the code of its attention foresees",
    ),
    "gptj": Read(
        _OF_WIDTH,
        "models/gptj/modeling_gptj.py: self.head_dim = self.embed_dim // self.num_attention_heads",
        "its rotation is given the first rotary_dim elements of a head, never the head",
    ),
}

# What the positions are that the model of a vision tower hands its rotary module, in their order, where they are not row and
# column: the column first in SAM's precompute_positions; one more than each in Inkling2VisionModel, whose other tokens stand
# at 0; get_vision_position_ids with frames in MiniMaxM3VLVisionModel; get_patches_center_coordinates times 2 pi in DINOv3's; sums
# of ones over the aggregated features, the first of them 1, in EfficientLoFTR's compute_embeddings.
_OF_MEMORY = ("column", "row")
_OF_WINDOW = "* window_size / columns of the grid"
_FROM_ONE = ("row + 1", "column + 1")
_OF_CENTRES = tuple(f"2 pi * the {axis} of the patch's centre, from -1 to 1" for axis in ("row", "column"))
HANDED: dict[str, tuple[str, ...]] = {
    "edgetam_video": _OF_MEMORY,
    "efficientloftr": _FROM_ONE,
    "eomt_dinov3": _OF_CENTRES,
    "inkling2_vision": _FROM_ONE,
    "minimax_m3_vl_vision": ("frame", "row", "column"),
    "sam2_video": _OF_MEMORY,
    "sam3_tracker_video": _OF_MEMORY,
    "sapiens2": _OF_CENTRES,
    "sam3_vit_model": (f"column {_OF_WINDOW}", f"row {_OF_WINDOW}"),
}


def with_what_was_read(types: dict[str, Any]) -> dict[str, Any]:
    """Rows with the fields that were read, and a note of where."""
    found = dict(types)
    for name, read in READ.items():
        if name in types:
            row = {**types[name], **read.fields, "note": f"{', '.join(sorted(read.fields))}: {read.where}"}
            found[name] = {key: value for key, value in row.items() if value is not None}
    return found
