"""A configuration in the words of transformers, examined: what the model's own code computes, and what each engine does."""

import dataclasses
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from yarncore._arguments import one_of
from yarncore.configs.difference import difference
from yarncore.configs.engines import genai, keras_hub, litgpt, llama_cpp, megatron, mlx_lm, sglang, torchtitan, vllm
from yarncore.configs.engines.engine import Effect, Engine, NotRun
from yarncore.configs.engines.reading import read_as
from yarncore.configs.huggingface.dialect import read_mapping
from yarncore.configs.huggingface.document import Document
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.target_length import target_length
from yarncore.configs.writing import quiet
from yarncore.errors import ConfigError, ConfigWarning
from yarncore.rope.rope import Rope
from yarncore.scaling import YaRN

TRANSFORMERS = "transformers"
# Names of methods that other engines know. transformers 5.24.0 ends with a KeyError on them (run with Llama's and Qwen3's rotary
# modules) but in these models, whose configurations give them another name: models/phi3/configuration_phi3.py,
# models/phi4_multimodal/configuration_phi4_multimodal.py, models/sarvam_mla/configuration_sarvam_mla.py.
_NOT_OF_TRANSFORMERS = {"su": ("phi3", "phi4_multimodal"), "deepseek_yarn": ("sarvam_mla",), "telechat3-yarn": ()}
# An engine more is a file in this folder and its name here.
ENGINES: tuple[Engine, ...] = (vllm, sglang, llama_cpp, mlx_lm, genai, litgpt, megatron, torchtitan, keras_hub)


@dataclass(frozen=True, slots=True)
class Examined:
    """What one reader makes of a configuration.

    Attributes
    ----------
    name, version : str
    ropes : dict of layer type to Rope or None, or None
        None where it fails.
    served : int or None
        Tokens that it serves when nothing is asked for.
    effects : tuple of Effect
        Keys that it passes over or takes otherwise.
    findings : tuple of str
        What makes it compute another thing than the model, or serve another length.
    notes : tuple of str
        What one should know.
    """

    name: str
    version: str
    ropes: Mapping[str, Rope | None] | None = None
    served: int | None = None
    effects: tuple[Effect, ...] = ()
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


@contextmanager
def collected(findings: list[str], notes: list[str]) -> Iterator[None]:
    """The warnings of a reader, sorted into the two lists."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConfigWarning)
        yield
    for one in caught:
        told = findings if getattr(one.message, "finding", False) else notes
        if isinstance(one.message, ConfigWarning) and str(one.message) not in told:
            told.append(str(one.message))


def by_transformers(mapping: Mapping[str, Any], where: str) -> tuple[Examined, ModelRopes | None]:
    """What transformers 5.24 makes of a configuration, and what the file means."""
    findings: list[str] = []
    notes: list[str] = []
    try:
        with collected(findings, notes):
            meant = read_mapping(mapping, where, strict=False)
    except ConfigError as error:
        return Examined(TRANSFORMERS, "5.24.0", findings=(_without(where, error), *findings)), None
    failing = _failing_type(mapping, where, meant)
    if failing:
        return Examined(TRANSFORMERS, "5.24.0", findings=(failing, *findings), notes=tuple(notes)), meant
    computed = {name: _rounded(rope, mapping, where, name) for name, rope in meant.items()}
    findings += _other_numbers(meant, computed)
    return Examined(TRANSFORMERS, "5.24.0", computed, meant.advertised_length, (), tuple(findings), tuple(notes)), meant


def by_engine(
    engine: Engine, mapping: Mapping[str, Any], where: str, meant: ModelRopes, length: int | None
) -> Examined:
    """What an engine makes of a configuration, beside what the file means."""
    findings: list[str] = []
    try:
        with quiet():
            found = read_as(engine, mapping, where, strict=False, served=length)
    except NotRun as error:
        return Examined(engine.NAME, engine.VERSION, notes=(f"not known: {_without(where, error)}",))
    except ConfigError as error:
        return Examined(engine.NAME, engine.VERSION, findings=(f"it fails: {_without(where, error)}",))
    longest, served, key = found.served
    findings += _other_numbers(meant, found.ropes)
    findings += _other_length(meant, served if length is None else longest)
    if length is not None and longest is not None and longest < length and not findings:
        findings.append(f"{length} tokens are asked for, and it serves {longest}")
    scaled = any(rope is not None and rope.query_scale is not None for rope in meant.values()) or meant.query_scales
    notes = [_OF_QUERY_SCALES] if scaled else []
    if key != "max_position_embeddings":
        notes.append(f"it takes {key} for the length of the model, not max_position_embeddings")
    if served != longest:
        notes.append(f"it serves {longest} tokens where they are asked for")
    return Examined(
        engine.NAME, engine.VERSION, dict(found.ropes), served, found.effects, tuple(findings), tuple(notes)
    )


_OF_QUERY_SCALES = "the model multiplies queries by their position; whether this engine does was not run"


def rope_keys(mapping: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The keys of the rope dicts of a configuration, with their paths and values."""
    with quiet():
        document = Document(dict(mapping), where)
    return {
        own.keys.name(key).partition(": ")[2]: value
        for own in document.dicts.values()
        if own is not None and own.of_file
        for key, value in own.keys.mapping.items()
    }


def named(name: str) -> Engine:
    """The engine of a name.

    Raises
    ------
    ValueError
        Naming those that are known.
    """
    one_of("engine", name, (TRANSFORMERS, *(one.NAME for one in ENGINES)))
    return next(engine for engine in ENGINES if name == engine.NAME)


def _failing_type(mapping: Mapping[str, Any], where: str, meant: ModelRopes) -> str:
    """What to say of a rope_type on which the model's own module fails; "" where there is none."""
    if meant.evidence.kind != "run":  # code that is not in transformers may know it
        return ""
    for path, value in rope_keys(mapping, where).items():
        takers = _NOT_OF_TRANSFORMERS.get(str(value))
        if path.rpartition(".")[2] in ("rope_type", "type") and takers is not None and meant.model_type not in takers:
            return f"it fails: {path} is {value!r}, a name that it does not know"
    return ""


def _rounded(rope: Rope | None, mapping: Mapping[str, Any], where: str, layer_type: str) -> Rope | None:
    """transformers 5.24 looks for truncate beside the dicts of layer types, not within them: there it always rounds."""
    if rope is None or not isinstance(rope.scaling, YaRN) or rope.scaling.truncate:
        return rope
    with quiet():
        document = Document(dict(mapping), where)
    if document.label_of(layer_type) == "" or document.truncates_none:
        return rope
    return dataclasses.replace(rope, scaling=dataclasses.replace(rope.scaling, truncate=True))


def _other_numbers(meant: Mapping[str, Rope | None], found: Mapping[str, Rope | None]) -> list[str]:
    several = len(set(meant.values())) > 1
    findings = []
    for name, rope in meant.items():
        differs = difference(rope, found.get(name))
        text = f"{name}: {differs}" if several else str(differs)
        if differs and text not in findings:
            findings.append(text)
    return findings


def _without(where: str, error: Exception) -> str:
    """What an error says, without the name of the file, which is told beside it."""
    return str(error).removeprefix(f"{where}: ")


def _other_length(meant: ModelRopes, served: int | None) -> list[str]:
    """A length below the one that the scaling is made for."""
    lengths = [target_length(rope.scaling) for rope in meant.values() if rope is not None]
    wanted = max((length for length in lengths if length is not None), default=None)
    if wanted is None or served is None or served >= wanted:
        return []
    return [f"the scaling is made for {wanted} tokens, and {served} are served"]
