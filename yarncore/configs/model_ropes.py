"""ModelRopes: all that a configuration tells of a model's rotary embeddings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from yarncore.configs.keys import warn
from yarncore.configs.kv_cache import CacheLayer
from yarncore.errors import ConfigError
from yarncore.query_scale import QueryScale
from yarncore.rope.rope import Rope

FULL = "full_attention"  # the type of layers that are all alike
ROW_AND_COLUMN = ("row", "column")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where the facts come from that a type of model adds to the keys of its files.

    Attributes
    ----------
    kind : "run", "cited" or "none"
        The model's own module was executed; its code was read; or neither, and the keys stand alone.
    source : str
        Which version and file, or which repository, file and commit; empty for "none".
    """

    kind: Literal["run", "cited", "none"]
    source: str = ""

    def __str__(self) -> str:
        told = {"run": "its module was run", "cited": "its code was read", "none": "none: its keys alone"}[self.kind]
        return f"{told}: {self.source}" if self.source else told


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ModelRopes(Mapping[str, "Rope | None"]):
    """Layer type -> Rope, or None where there is no rotation; and what else a configuration tells of the model.

    Attributes
    ----------
    ropes : dict
        The mapping itself.
    layer_types : tuple of str
        The name of each layer's type; empty where the file does not tell how many layers there are.
    evidence : Evidence
        What the facts beyond the file's keys rest on.
    model_type : str
        Of the language model; empty where the file has none.
    where : str
        The name of the file, or of the configuration's class.
    heads, key_heads : int
        Of q and k; 1 where the file does not tell.
    query_elements_beside : int
        Elements of a query head that are kept apart from what the Rope sees (MLA); attention's scale counts them too.
    split_into : int
        Heads of attention that what the Rope turns is split into behind the rotation, as in EfficientLoFTR, where the whole
        width turns at once and is one head of `heads`. 1: what turns is a head.
    advertised_length : int or None
        max_position_embeddings, in tokens.
    original_length : int or None
        The length that the file itself says it was trained for.
    one_for_all : bool
        One setting serves every layer that rotates: none can be scaled apart from the others.
    softmax_temperature : bool
        The model's attention applies YaRN's temperature to its logits.
    cache_layers : tuple of CacheLayer
        What each layer keeps of a token; empty where the file does not tell.
    positions : tuple of str
        What the positions of a token are, one word for each section, where the class turns the patches of pictures: row and
        column, or something else, in its own unit. Empty: tokens, or what sections usually are (time, height, width).
    query_scales : dict of layer type to QueryScale
        What multiplies queries by their position on layers without rotation, as in Llama 4, where something does. That of
        layers that rotate is in their Rope.
    """

    ropes: dict[str, Rope | None]
    layer_types: tuple[str, ...]
    evidence: Evidence
    model_type: str = ""
    where: str = "config"
    heads: int = 1
    key_heads: int = 1
    query_elements_beside: int = 0
    split_into: int = 1
    positions: tuple[str, ...] = ()
    advertised_length: int | None = None
    original_length: int | None = None
    one_for_all: bool = True
    softmax_temperature: bool = False
    cache_layers: tuple[CacheLayer, ...] = ()
    query_scales: Mapping[str, QueryScale] = field(default_factory=dict)

    @property
    def layers(self) -> tuple[Rope | None, ...]:
        """One entry for each layer; empty where the file does not tell how many there are."""
        return tuple(self.ropes[name] for name in self.layer_types)

    def __getitem__(self, layer_type: str) -> Rope | None:
        return self.ropes[layer_type]

    def __iter__(self) -> Iterator[str]:
        return iter(self.ropes)

    def __len__(self) -> int:
        return len(self.ropes)

    def __repr__(self) -> str:
        scaled = f", queries multiplied without rotation: {self.query_scales!r}" if self.query_scales else ""
        by = f", positions: {', '.join(self.positions)}" if self.positions else ""
        split = f", turned before they are split into {self.split_into} heads" if self.split_into > 1 else ""
        return (
            f"ModelRopes({self.ropes!r}, {len(self.layer_types)} layers{by}{split}{scaled}, evidence: {self.evidence})"
        )

    def one(self, layer_type: str | None = None) -> Rope:
        """The Rope of a layer type, or the only one that there is.

        Raises
        ------
        ConfigError
            Where there are several and none was chosen, where the chosen layers have no rotation, or none of them has.
        """
        different = list(dict.fromkeys(rope for rope in self.ropes.values() if rope is not None))
        if not different:
            raise ConfigError(
                f"{self.where}: a model of type {self.model_type!r} as configured here never rotates q and k"
            )
        if layer_type is not None:
            return self._chosen(layer_type)
        if len(different) > 1:
            listed = "; ".join(f"{name}: {rope!r}" for name, rope in self.ropes.items())
            raise ConfigError(f"several rotary embeddings; choose a layer_type, or use ropes_from_config: {listed}")
        still = [name for name, rope in self.ropes.items() if rope is None]
        if still:
            warn(f"layers of type {', '.join(still)} have no rotation; ropes_from_config(...).layers says which")
        if self.positions not in ((), ROW_AND_COLUMN):
            warn(f"the positions of a token are, section by section: {', '.join(self.positions)}")
        if self.split_into > 1:
            warn(
                f"the model turns q and k of {different[0].head_dim} elements whole, before they are split into {self.split_into} "
                "heads: to this Rope they are one head"
            )
        for name, scale in self.query_scales.items():
            warn(f"layers of type {name} multiply their queries by {scale}.at(positions), which no Rope does for them")
        return different[0]

    def _chosen(self, layer_type: str) -> Rope:
        if layer_type not in self.ropes:
            raise ConfigError(f"layer_type is {layer_type!r}; one of {', '.join(self.ropes)} is expected")
        rope = self.ropes[layer_type]
        if rope is None:
            raise ConfigError(f"layers of type {layer_type!r} have no rotation")
        return rope
