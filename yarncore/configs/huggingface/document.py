"""A configuration that is changed: where its rope dicts stand, and which other keys say the same."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from yarncore.configs.huggingface.dimensions import is_sliced
from yarncore.configs.huggingface.facts import facts_of
from yarncore.configs.huggingface.language_model import language_model
from yarncore.configs.huggingface.layers import label_of, layer_names
from yarncore.configs.huggingface.method_keys import Written, part_that_turns
from yarncore.configs.huggingface.query_scales import BETA, words_of
from yarncore.configs.huggingface.rope_dicts import rope_dicts
from yarncore.configs.keys import Keys
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope

# Keys of a rope dict that are no part of a scaling: they stay.
_STAY = ("mrope_section", "mrope_interleaved", "interleaved", "partial_rotary_factor")
_LENGTHS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
_ORIGINAL = "original_max_position_embeddings"


class Document:
    """A mapping in the words of transformers, changed in place.

    Attributes
    ----------
    mapping : dict
    facts : Facts
        Of its language model.
    keys : Keys
        Those of its language model.
    dicts : dict of label to RopeDict or None
    """

    def __init__(self, mapping: dict[str, Any], where: str) -> None:
        self.mapping = mapping
        merged, path, model_type = language_model(mapping)
        self.facts = facts_of(model_type, merged)
        self._levels = [mapping]
        for key in filter(None, path.split(".")):
            self._levels.append(self._levels[-1][key])
        self.keys = Keys(merged, where, path, self.facts.defaults)
        self.dicts = rope_dicts(self.keys, self.facts, layer_names(self.keys, self.facts).names)

    @property
    def nested(self) -> bool:
        """Whether the language model stands within a larger one."""
        return len(self._levels) > 1

    @property
    def rope_parameters(self) -> dict[str, Any]:
        """The rope dicts that were put."""
        found: dict[str, Any] = self._levels[-1]["rope_parameters"]
        return found

    @property
    def truncates_none(self) -> bool:
        """Whether truncate: false stands beside the dicts of layer types, where transformers 5.24 looks for it."""
        given = self.keys.lookup("rope_parameters")
        return isinstance(given, Mapping) and given.get("truncate") is False

    def label_of(self, layer_type: str) -> str | None:
        """The label of a layer type's rope dict; layers of one type may differ in their base."""
        return label_of(self.facts, layer_type.partition(", ")[0], self.dicts)

    def by_label(self, ropes: Mapping[str, Rope | None]) -> dict[str, Rope | None]:
        """Label -> Rope or None.

        Raises
        ------
        ConfigError
            Where layer types of one label are to be different.
        """
        found: dict[str, Rope | None] = {}
        for name, rope in ropes.items():
            label = self.label_of(name)
            if label is None or (rope is None and self.dicts[label] is not None):  # judged when read back
                continue
            if rope is not None and self.facts.layer_bases and self.keys.has(self.facts.layer_bases):
                rope = self._with_base_of_dict(label, rope)
            if found.setdefault(label, rope) != rope:
                raise ConfigError(
                    f"rope has {found[label]!r} and {rope!r} for layers that share one rope dict in models of this type"
                )
        return found

    def _with_base_of_dict(self, label: str, rope: Rope) -> Rope:
        """Where a key lists the base of each layer, that of the dict is nobody's."""
        own = self.dicts[label]
        base = rope.base if own is None else own.base
        return replace(rope, base=base)

    def with_dicts(self, dicts: Mapping[str, Any]) -> dict[str, Any]:
        """The mapping with these rope dicts by label in the place of its own; bases beside them go."""
        self._put_dicts(dicts)
        self._put_bases(None, {})
        return self.mapping

    def put(self, ropes: Mapping[str, Rope | None], keys: Mapping[str, Written | None], length: int | None) -> None:
        """Write the rope dicts, and let the keys beside them say the same."""
        dicts: dict[str, Any] = {
            label: self._rope_dict(label, ropes[label], one, length) for label, one in keys.items()
        }
        flat = set(dicts) == {""}
        if not flat and any(one and one.get("truncate") is False for one in dicts.values()):
            dicts["truncate"] = False  # the only place where transformers 5.24 looks for it
        self._put_dicts(dicts)
        self._put_bases(keys.get("") if flat else None, keys)
        self._put_lengths(keys, length)

    def _put_dicts(self, dicts: Mapping[str, Any]) -> None:
        for level in self._levels:
            for key in ("rope_scaling", "rope_parameters"):
                level.pop(key, None)
        self._levels[-1]["rope_parameters"] = dicts[""] if set(dicts) == {""} else dict(dicts)

    def _rope_dict(
        self, label: str, rope: Rope | None, one: Written | None, length: int | None
    ) -> dict[str, Any] | None:
        if rope is None or one is None:
            return None
        own = self.dicts[label]
        before = {} if own is None else own.keys.mapping
        result = {"rope_theta": one.base, **one.keys}
        result |= {key: before[key] for key in _STAY if before.get(key) is not None and key not in result}
        of_queries = words_of(rope, self.keys, own_has=BETA in before)
        result |= {key: value for key, value in of_queries.items() if key not in result}
        longrope = one.keys["rope_type"] == "longrope"
        if longrope and before.get("short_mscale") is not None:  # PhiMoE's class requires both
            result |= dict.fromkeys(("short_mscale", "long_mscale"), float(rope.at().attention_factor))
        told = "partial_rotary_factor" in one.keys or is_sliced(self.keys, self.facts) or self.facts.rotary_dim["keys"]
        told = told or self.facts.whole_width
        if not told and int(rope.head_dim * result.get("partial_rotary_factor", 1.0)) != rope.rotary_dim:
            result["partial_rotary_factor"] = part_that_turns(rope)
        if before.get("max_position_embeddings") is not None and length is not None:
            result["max_position_embeddings"] = length
        return result

    def _put_bases(self, one: Written | None, keys: Mapping[str, Written | None]) -> None:
        """Bases beside the dict: the same number where there is one dict; that of the one label whose it is, or away."""
        words = {"rope_theta"}.union(*self.facts.base_keys.values())
        for level in self._levels:
            for key in words & set(level):
                of_labels = [keys.get(label) for label, own in self.facts.base_keys.items() if key in own]
                single = one or (of_labels[0] if len(of_labels) == 1 else None)
                if single is None and not isinstance(level[key], (list, tuple)):
                    del level[key]
                elif single is not None and isinstance(level[key], (int, float)):
                    level[key] = single.base

    def _put_lengths(self, keys: Mapping[str, Written | None], length: int | None) -> None:
        model = self._levels[-1]
        if length is not None:
            model[
                next((key for key in (*self.facts.length_keys, *_LENGTHS) if model.get(key) is not None), _LENGTHS[0])
            ] = length
        originals = {one.keys[_ORIGINAL] for one in keys.values() if one and _ORIGINAL in one.keys}
        # Phi-3's class has one of its own, which is taken before that of the dict.
        if originals and (model.get(_ORIGINAL) is not None or _ORIGINAL in self.facts.defaults):
            model[_ORIGINAL] = max(originals)
