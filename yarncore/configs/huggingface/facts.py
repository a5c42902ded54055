"""What a type of model does beyond the keys of its files, and what that knowledge rests on.

verified.json is written by running transformers' own modules (tests/models/facts.py); cited.py by hand, from code that was
read. A type in neither has no facts: its keys stand alone.
"""

import dataclasses
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yarncore.configs.huggingface.cited import CITED, CITED_COMPOSITES
from yarncore.configs.model_ropes import Evidence

Named = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one type of model; every default is what most types do.

    Attributes
    ----------
    when : mapping of key to values
        The keys by which this model was told from others of its type.
    having : tuple of keys
        The same: keys that its file has, whatever their values.
    rotates : bool
        False: no layer ever rotates.
    rotates_while : mapping of key to values
        The model rotates only while each key has one of these values.
    pairs : "half", "interleaved", "reversed", or a mapping
        Which elements make a pair; a mapping names the key that decides.
    ropes : mapping of label to rope dict
        What the class makes where the file says nothing; one label "" where all layers are alike, "*" for each layer type
        of the file.
    labels : mapping of layer type to label
        Where labels are not names of layer types.
    base_keys, partial_keys : keys beside a rope dict that give its base (by label) and partial_rotary_factor
    base_times : str or None
        A key whose number multiplies the base.
    scaled : tuple of labels, None, or a mapping of rope_scaling and rope_parameters to these
        Which labels take a rope dict that is not by label; None: all. A mapping where the two spellings differ.
    when_shared : mapping of label to base, base_keys and yarn_adds
        What the class makes of a rope dict that is not by label, for this label: its base where neither the dict nor one of
        the keys gives it, and keys that a yarn dict lacks. Where it makes what it usually makes, nothing.
    partial : mapping of label to number
        partial_rotary_factor where a rope dict of the file has none.
    length_keys : keys that stand before max_position_embeddings
    defaults : mapping
        The class's defaults of keys that the file may leave out.
    head_dim : mapping of label to keys and default
    whole_width : bool
        The whole width of attention turns at once, before it is split into heads: to a Rope it is one head. partial_rotary_factor
        then makes, of a head behind the split, as many elements as a series of frequencies is for.
    unread : keys of a head's length, or of the part of it that turns, which the class does not read
    at_end : bool
        The end of a head turns, not its beginning.
    rotary_dim : keys and default
        Keys that say how many elements turn. Default "equal sections": as many as fit sections of one length.
    layer_types : mapping or None
        The names of layers where the file has no layer_types.
    layer_codes : mapping or None
        A key that lists a number for each layer in the place of layer_types, and the layer type that each number means.
    parts : list of name, layers, heads and key_heads
        An encoder and a decoder of one configuration: their names, in the place of layer types, and the keys that count their
        layers and their heads. The class gives both the first one's heads.
    still, still_while : layer types that do not rotate, and the key without which they do
    layer_flags, layer_bases : keys with one entry for each layer
    one_base : bool
        The entries of layer_bases tell only which layers turn, those that are not 0; the base is the rope dict's.
    scaled_layers : str or None
        A key that lists the layers that a scaling is for.
    softmax_mscale : bool
        The logits are multiplied by t(s, mscale_all_dim)^2.
    alpha : bool
        The dynamic method with the key alpha is a larger base.
    sections : order, keys, default and positions, or None
        No keys: a section for each of `positions`, which tells in words what they are; all have as many pairs.
    refuse : str or None
        Why a Rope cannot say what these models do.
    """

    evidence: Evidence
    when: Named = field(default_factory=dict)
    having: tuple[str, ...] = ()
    rotates: bool = True
    rotates_while: Named = field(default_factory=dict)
    pairs: Any = "half"
    ropes: Named = field(default_factory=lambda: {"": {}})
    labels: Mapping[str, str] = field(default_factory=dict)
    base_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    base_times: str | None = None
    partial_keys: tuple[str, ...] = ("partial_rotary_factor",)
    scaled: Any = None
    when_shared: Named = field(default_factory=dict)
    partial: Mapping[str, float] = field(default_factory=dict)
    length_keys: tuple[str, ...] = ()
    defaults: Named = field(default_factory=dict)
    head_dim: Named = field(default_factory=lambda: {"": {"keys": ["head_dim"], "default": "hidden/heads"}})
    whole_width: bool = False
    unread: tuple[str, ...] = ()
    at_end: bool = False
    rotary_dim: Named = field(default_factory=lambda: {"keys": [], "default": None})
    layer_types: Named | None = None
    layer_codes: Named | None = None
    parts: tuple[Named, ...] = ()
    still: tuple[str, ...] = ()
    still_while: str | None = None
    layer_flags: Named | None = None
    layer_bases: str | None = None
    one_base: bool = False
    scaled_layers: str | None = None
    softmax_mscale: bool = False
    alpha: bool = False
    sections: Named | None = None
    refuse: str | None = None

    def base_keys_of(self, label: str) -> tuple[str, ...]:
        """The keys beside a rope dict that give the base of a label."""
        return tuple(self.base_keys.get(label, self.base_keys.get("*", ("rope_theta",))))

    def scaled_by(self, key: str) -> tuple[str, ...] | None:
        """Which labels take the rope dict under rope_scaling or rope_parameters, if it is not by label; None: all."""
        labels = self.scaled[key] if isinstance(self.scaled, Mapping) else self.scaled
        return None if labels is None else tuple(labels)

    def takes_scaling(self, label: str, key: str) -> bool:
        """Whether a rope dict that is not by label is this label's."""
        labels = self.scaled_by(key)
        return labels is None or label in labels


# A type that is neither run nor cited: whatever its file says under any known name, and nothing else.
UNKNOWN = Facts(
    Evidence("none"),
    base_keys={"": ("rope_theta", "rotary_emb_base", "rope_base", "rotary_base")},
    base_times="rope_ratio",
    partial_keys=("partial_rotary_factor", "rotary_pct", "rope_pct", "rotary_percent", "rotary_emb_fraction"),
    head_dim={
        "": {
            "keys": ["head_dim", "attention_head_dim", "kv_channels", "head_size"],
            "default": "hidden/heads",
        }
    },
    rotary_dim={"keys": ["rotary_dim", "attn_rotary_emb", "rotary_emb_dim"], "default": None},
)

# What is told of a type beside its facts.
_TOLD = frozenset(["source", "note", "repository", "file", "commit", "like"])


def facts_of(model_type: str, config: Mapping[str, Any]) -> Facts:
    """The facts of a type of model; where one type serves several models, of the one whose keys the file has."""
    for row in CITED.get(model_type, ()):
        told = all(config.get(key) in values for key, values in row.get("when", {}).items())
        if told and all(config.get(key) is not None for key in row.get("having", ())):
            where = f"{row['repository']}, {row['file']}, commit {row['commit']}"
            base = _verified()["types"][row["like"]] if "like" in row else {}
            return _facts({**base, **row}, Evidence("cited", where))
    table = _verified()
    row = table["types"].get(model_type)
    if row is None:
        return UNKNOWN
    return _facts(row, Evidence("run", f"transformers {table['transformers']}, {row['source']}"))


def text_type_of(model_type: str) -> str:
    """The type of the language model within a larger model of a given type."""
    composites: Mapping[str, str] = _verified()["composites"]
    return CITED_COMPOSITES.get(model_type, composites.get(model_type, model_type))


def _facts(row: Mapping[str, Any], evidence: Evidence) -> Facts:
    known = {entry.name for entry in dataclasses.fields(Facts)}
    unknown = set(row) - known - _TOLD
    if unknown:
        raise ValueError(f"{evidence}: the fields {sorted(unknown)} are not known")
    return Facts(
        evidence, **{name: _frozen(value) for name, value in row.items() if name in known and value is not None}
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@functools.cache
def _verified() -> dict[str, Any]:
    """The table, parsed when the first configuration is read."""
    table: dict[str, Any] = json.loads(Path(__file__).with_name("verified.json").read_text("utf-8"))
    return table
