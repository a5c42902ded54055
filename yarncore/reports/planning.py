"""What to write so that a model reads further: the smallest sufficient s, what it does and costs, and the ready setting."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yarncore._arguments import one_of, token_count
from yarncore.configs.dialects import FORMATS, recognised, to_config
from yarncore.configs.extension import rescaled, scaled_layers
from yarncore.configs.kv_cache import cache_bytes
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.source import Source, load
from yarncore.errors import ConfigError
from yarncore.reports.prompt_lengths import PromptLengths, Reach
from yarncore.reports.published import BUDGETS, SHORT_COST, Budget, ShortCost
from yarncore.reports.sufficient import own_scaling, reached_length, served_length, sufficient, trained_length
from yarncore.rope.regimes import PairRow, pair_rows
from yarncore.rope.rope import Rope

ELEMENT_SIZES = {"float32": 4, "bfloat16": 2, "float16": 2, "float8": 1}

# Whose own file a format is written over.
_OVER = dict.fromkeys(("huggingface", "vllm", "sglang", "mlx-lm", "genai"), "huggingface") | {"llama.cpp": "gguf"}


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """What happens to the layers of one type.

    Attributes
    ----------
    rope, before : Rope
        What they are to rotate by, and what they rotate by.
    unseen_before, unseen_after : tuple of int
        Pairs that meet angles at the target which they never met within the original length: without scaling, and with.
    slowed : int
        Pairs that turn slower, at every length.
    temperature_of_cos_sin, temperature_of_logits : float
        What multiplies the logits: by the factor on cos and sin of q and k, and by attention's own scale.
    """

    rope: Rope
    before: Rope
    unseen_before: tuple[int, ...]
    unseen_after: tuple[int, ...]
    slowed: int
    temperature_of_cos_sin: float
    temperature_of_logits: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model comes to read so many tokens.

    Attributes
    ----------
    model, evidence : str
    original_length : int
        L, the length that it was trained for, in tokens.
    original_from : str
        Where that was found.
    present_length : int or None
        The length that it reaches as it is.
    target_length : int
    smallest_factor : float
        The smallest s that is sufficient: target / L, and 1 within L.
    factor : float
        That of the plan: larger where the model's own scaling reaches further and is kept.
    method : str
    layers : mapping of layer type to LayerPlan
        Of those that are to be scaled.
    unscaled_layers : tuple of str
        Layer types that rotate and stay as they are.
    notes : tuple of str
        What has to be known.
    prompts : PromptLengths or None
    reaches : tuple of Reach
        What s = 1, 2, 4, ... would serve of them.
    cache_dtype : str
    cache_bytes, cache_bytes_within : int or None
        Of keys and values of one sequence, at the target and at the original length.
    budgets : tuple of Budget
        Fine-tunes that were published, as a reference.
    short_cost : ShortCost
        What a larger s cost inside the original length where it was published.
    engine : str
    setting : dict, or list of str
        The ready configuration or flags for that engine.
    config : mapping or None
        What the setting was written over.
    """

    model: str
    evidence: str
    original_length: int
    original_from: str
    present_length: int | None
    target_length: int
    smallest_factor: float
    factor: float
    method: str
    layers: Mapping[str, LayerPlan]
    unscaled_layers: tuple[str, ...]
    notes: tuple[str, ...]
    prompts: PromptLengths | None
    reaches: tuple[Reach, ...]
    cache_dtype: str
    cache_bytes: int | None
    cache_bytes_within: int | None
    budgets: tuple[Budget, ...]
    short_cost: ShortCost
    engine: str
    setting: dict[str, Any] | list[str]
    config: Mapping[str, Any] | None

    @property
    def ropes(self) -> dict[str, Rope]:
        """What the layers that are scaled rotate by."""
        return {name: layer.rope for name, layer in self.layers.items()}

    @property
    def changed_keys(self) -> dict[str, Any]:
        """The keys of the setting that differ from what it was written over; empty for flags."""
        if isinstance(self.setting, list):
            return {}
        had = self.config or {}
        return {key: value for key, value in self.setting.items() if key not in had or had[key] != value}

    @property
    def removed_keys(self) -> tuple[str, ...]:
        """The keys of what it was written over that the setting no longer has."""
        had = {} if isinstance(self.setting, list) or self.config is None else self.config
        return tuple(key for key in had if key not in self.setting)

    def as_dict(self) -> dict[str, Any]:
        """The same for machines: plain values under stable names."""
        told = {entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self)}
        del told["config"], told["prompts"]
        told["layers"] = {
            name: {entry.name: getattr(layer, entry.name) for entry in dataclasses.fields(layer)}
            | {
                "rope": repr(layer.rope),
                "before": repr(layer.before),
                "rotation_id": layer.rope.at(self.target_length).id,
            }
            for name, layer in self.layers.items()
        }
        told["reaches"] = [dataclasses.asdict(reach) for reach in self.reaches]
        told["budgets"] = [dataclasses.asdict(budget) | {"tokens": budget.tokens} for budget in self.budgets]
        told["short_cost"] = dataclasses.asdict(self.short_cost)
        return told


def plan(
    source: Any,
    to: int | None = None,
    *,
    original_length: int | None = None,
    lengths: Any = None,
    engine: str | None = None,
    replace: bool = False,
    cache_dtype: str = "bfloat16",
) -> Plan:
    """How a model comes to read `to` tokens: scaling, temperature, costs, and the setting for an engine.

    Parameters
    ----------
    source : mapping, path or transformers configuration
        The model's own configuration, as for from_config.
    to : int, optional
        Tokens that are to be served; None: the longest of `lengths`.
    original_length : int, optional, keyword-only
        The length that the model was trained for. None: the configuration's own, else a cited one, else what it advertises.
    lengths : mapping of length to count, sequence of lengths, or path, optional, keyword-only
        Prompts that are to be served. A file holds a JSON list, a JSON object, or a line for each: `LENGTH [COUNT]`.
    engine : str, optional, keyword-only
        One of `yarncore.FORMATS`, with a version after @ or without; None: the format of the source.
    replace : bool, default False, keyword-only
        Put the smallest sufficient s in the place of a larger one that the model has.
    cache_dtype : "float32", "bfloat16", "float16" or "float8", keyword-only
        Of keys and values.

    Returns
    -------
    Plan

    Raises
    ------
    ConfigError, TypeError, ValueError, OSError
        As from_config and to_config; and where the model has a scaling that nothing published extends.
    """
    element_size = ELEMENT_SIZES[one_of("cache_dtype", cache_dtype, tuple(ELEMENT_SIZES))]
    prompts = None if lengths is None else PromptLengths.of(lengths)
    if to is None and prompts is None:
        raise ValueError("to is None and lengths is None; the tokens to be served are expected in one of them")
    target = token_count("to", prompts.longest if to is None and prompts is not None else to)
    given, name = _own_file(source, engine)
    found = recognised(given).read(given, False)
    length = trained_length(found, original_length)
    own = own_scaling(found)
    wanted, notes = sufficient(found, own, length, target, replace)
    if prompts is not None and prompts.longest > target:
        notes.append(f"{1 - prompts.share_within(target):.2%} of the prompts are longer than {target:,} tokens")
    chosen = scaled_layers(found, found.one_for_all)
    ropes = {each: rescaled(each, rope, dict.fromkeys(chosen, wanted)) for each, rope in found.items()}
    setting, config = _setting(given, found, ropes, name, served_length(found, own, wanted, target))
    tokens = length.tokens or target
    return Plan(
        model=_model(found),
        evidence=str(found.evidence),
        original_length=tokens,
        original_from=length.whence,
        present_length=reached_length(found),
        target_length=target,
        smallest_factor=max(1.0, target / tokens),
        factor=(wanted.context_factor() or 1.0) if wanted is not None else 1.0,
        method="plain RoPE" if wanted is None else type(wanted).__name__,
        layers={each: _layer(ropes[each], found[each], tokens, target) for each in chosen},
        unscaled_layers=tuple(each for each, rope in found.items() if rope is not None and each not in chosen),
        notes=tuple(notes),
        prompts=prompts,
        reaches=() if prompts is None else prompts.reaches(tokens, target),
        cache_dtype=cache_dtype,
        cache_bytes=cache_bytes(found.cache_layers, target, element_size),
        cache_bytes_within=cache_bytes(found.cache_layers, min(tokens, target), element_size),
        budgets=BUDGETS,
        short_cost=SHORT_COST,
        engine=name,
        setting=setting,
        config=config,
    )


def _own_file(source: Any, engine: str | None) -> tuple[Source, str]:
    """The model's own configuration, and whose setting is to be written."""
    given = load(source)
    dialect = recognised(given)
    if dialect.CHANGES_A_MODEL:
        raise ConfigError(
            f"{given.where}: a plan is made from the model's own file, and {dialect.NAME} only changes one"
        )
    name = dialect.NAME if engine is None else str(engine)
    one_of("engine", name.partition("@")[0], FORMATS)
    return given, name


def _setting(
    given: Source, found: ModelRopes, ropes: Mapping[str, Rope | None], name: str, served: int
) -> tuple[dict[str, Any] | list[str], Mapping[str, Any] | None]:
    """What is to be written, and what it was written over."""
    own = recognised(given).NAME
    format = name.partition("@")[0]
    config = given.mapping if _OVER.get(format, format) == own else None
    if config is None and _OVER.get(format, format) == "gguf":
        raise ConfigError(
            f"{given.where}: a file of {own}, and {name} reads a GGUF file; that file is expected in its place"
        )
    if name == own and config is not None and ropes == dict(found) and served == found.advertised_length:
        return dict(config), config  # in its own words
    return to_config(ropes, name, config=config, length=served), config


def _model(found: ModelRopes) -> str:
    return f"{found.where.rpartition('/')[2]}" + (f" ({found.model_type})" if found.model_type else "")


def _layer(rope: Rope | None, before: Rope | None, original: int, target: int) -> LayerPlan:
    assert rope is not None
    assert before is not None
    factor = target / original
    plain = pair_rows(dataclasses.replace(rope, scaling=None), original, target, factor)
    scaled = pair_rows(rope, original, target, factor)
    rotation = rope.at(target)
    return LayerPlan(
        rope,
        before,
        _unseen(plain, factor),
        _unseen(scaled, factor),
        sum(row.multiplier < 1 for row in scaled),
        float(rotation.attention_factor) * float(rotation.attention_factor),
        float(rotation.softmax_scale_factor),
    )


def _unseen(rows: tuple[PairRow, ...], factor: float) -> tuple[int, ...]:
    return tuple(row.pair for row in rows if row.leaves(factor))
