"""Command lines of llama.cpp (llama-server, llama-cli): flags that change what a GGUF file sets.

llama-server b11434 and the library b11739 and b11549 were run with each of these flags (tests/goldens/engines_executed.json,
tests/engines/records).
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from yarncore.configs.containers.arguments import is_command_line, typed
from yarncore.configs.gguf.architectures import ARCHITECTURES
from yarncore.configs.gguf.dialect import keys_of, main_type, read_as_changed
from yarncore.configs.gguf.ropes import context_length
from yarncore.configs.gguf.scaling import Settings, settings_of
from yarncore.configs.gguf.writing import FOLLOWS_LENGTH, asked
from yarncore.configs.keys import Keys, warn
from yarncore.configs.model_ropes import ModelRopes
from yarncore.configs.nearest import Vocabulary, nearest
from yarncore.configs.source import Source, load
from yarncore.configs.target_length import target_length
from yarncore.configs.typed_keys import TypedKeys
from yarncore.configs.writing import WriteRequest, judge, quiet
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope
from yarncore.scaling import NTKByParts, PositionInterpolation
from yarncore.scaling.scaling import Scaling

NAME = "llama.cpp"
SIGNS: tuple[str, ...] = ("--rope-scaling", "--rope-scale", "--rope-freq-scale", "--rope-freq-base", "--yarn-orig-ctx")
CHANGES_A_MODEL = True

_WHOSE = "llama.cpp's command line"
_METHODS = ("none", "linear", "yarn")
_KINDS: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str, "bool": lambda word: word == "true"}
_CONCERN = ("--rope", "--yarn", "--ctx-size", "--override-kv")


def recognises(mapping: Mapping[str, Any]) -> bool:
    """Whether a command line is one of llama.cpp's."""
    if not is_command_line(mapping):
        return False
    program = str(mapping[""][0]).rpartition("/")[2] if mapping[""] else ""
    if program in ("vllm", "python", "python3", "sglang", "torchrun"):
        return False
    return program.startswith("llama") or any(flag in mapping for flag in SIGNS)


def read(source: Source, strict: bool) -> ModelRopes:
    """What llama.cpp computes with a file and these flags, and the length that llama-server serves."""
    flags = TypedKeys(source.mapping, source.where)
    mapping, where = _file(source, flags)
    base = flags.number("--rope-freq-base", at_least=0) or None
    given = _given(flags)
    asked_for = next((flags.count(flag, least=0) for flag in ("-c", "--ctx-size") if flags.has(flag)), 0)
    plain = read_as_changed(mapping, where, strict)
    if all(rope is None for rope in plain.values()):
        return plain
    changed = read_as_changed(
        mapping, where, strict, lambda settings: dataclasses.replace(settings, **_over(settings, given)), base
    )
    flags.report_unread(strict, {flag for flag in flags.mapping if not flag.startswith(_CONCERN)})
    return dataclasses.replace(
        changed, advertised_length=_served(mapping, where, plain, given, asked_for), where=source.where
    )


def _file(source: Source, flags: Keys) -> tuple[Mapping[str, Any], str]:
    """The key-values of the file that is run, with those that the command line overrides."""
    path = next((flags.raw(flag) for flag in ("-m", "--model") if flags.has(flag)), None)
    model = source.config or (load(path) if isinstance(path, str) else None)
    if model is None:
        raise ConfigError(
            f"{source.where}: -m names no file; the GGUF file that is run is needed (config=), since flags only change what it sets"
        )
    return {**model.mapping, **_overridden(flags)}, model.where


def _overridden(flags: Keys) -> dict[str, Any]:
    """--override-kv KEY=TYPE:VALUE,..."""
    text = flags.raw("--override-kv")
    found: dict[str, Any] = {}
    for one in [] if text is None else str(text).split(","):
        key, equals, typed_value = one.partition("=")
        kind, colon, value = typed_value.partition(":")
        try:
            if not equals or not colon:
                raise ValueError
            found[key] = _KINDS[kind](value)
        except (KeyError, ValueError):
            raise flags.error("--override-kv", "KEY=TYPE:VALUE with int, float, bool or str") from None
    return found


def _given(flags: Keys) -> dict[str, Any]:
    """What the flags set, by the names of Settings."""
    scale, freq_scale = flags.number("--rope-scale", at_least=0), flags.number("--rope-freq-scale", at_least=0)
    order = [flag for flag in flags.mapping if flag in ("--rope-scale", "--rope-freq-scale")]
    factor = None
    if order:  # two names of one number: the later wins, 0 is as if it were not there
        factor = scale or None if order[-1] == "--rope-scale" else 1 / freq_scale if freq_scale else None
    given = {
        "method": flags.word("--rope-scaling", _METHODS),
        "factor": factor,
        "original": flags.count("--yarn-orig-ctx", least=0) or None,
        "ext_factor": _set(flags.number("--yarn-ext-factor")),
        "attn_factor": _set(flags.number("--yarn-attn-factor")),
        "beta_fast": _set(flags.number("--yarn-beta-fast")),
        "beta_slow": _set(flags.number("--yarn-beta-slow")),
    }
    return {name: value for name, value in given.items() if value is not None}


def _set(value: float | None) -> float | None:
    """A negative number is as if the flag were not there."""
    return None if value is None or value < 0 else value


def _over(settings: Settings, given: Mapping[str, Any]) -> dict[str, Any]:
    over = {name: value for name, value in given.items() if not name.startswith("beta")}
    if over.get("method", settings.method) == "none":
        over["factor"] = 1.0
    over["betas"] = (given.get("beta_fast", settings.betas[0]), given.get("beta_slow", settings.betas[1]))
    if (
        over.get("attn_factor", 1) != 1
        and over.get("ext_factor", 1) != 0
        and over.get("method", settings.method) == "yarn"
    ):
        warn(
            f"--yarn-attn-factor is {over['attn_factor']:g}: llama.cpp overwrites it while YaRN's ext-factor is not 0",
            finding=True,
        )
        del over["attn_factor"]
    return over


def _served(
    mapping: Mapping[str, Any], where: str, plain: ModelRopes, given: Mapping[str, Any], asked: int | None
) -> int:
    """Tokens of a slot of llama-server: no more than the file's length, which a changed scale of YaRN raises."""
    keys = keys_of(mapping, where, plain.model_type)
    context = context_length(keys)
    with quiet():
        own = settings_of(keys, ARCHITECTURES[plain.model_type], context)
        now = dataclasses.replace(own, **_over(own, given))
    if now.method == "yarn" and now.factor != own.factor:
        context = round(now.original * now.factor)
    served = min(asked, context) if asked else context
    if asked and asked > context:
        warn(
            f"-c is {asked}: llama-server serves {context} tokens a slot, the file's length; the library goes on with a warning",
            finding=True,
        )
    return served


def write(request: WriteRequest) -> list[str]:
    """Flags with which llama.cpp computes the rotation and serves the length.

    Raises
    ------
    ConfigError
        Also without the file that is run.
    """
    if request.config is None:
        raise ConfigError("config is None; the GGUF file that is run, or its key-values, is expected")
    mapping, where = request.config.mapping, request.config.where
    with quiet():
        before = read_as_changed(mapping, where, strict=False)
        main = main_type(before)
        own = before.one(main)
        architecture = ARCHITECTURES[before.model_type]
        settings = settings_of(keys_of(mapping, where, before.model_type), architecture, 1)
    windows = architecture.windows
    apart = windows.name if windows is not None and windows.turn == "own" else None
    rope, wanted = asked(request, before, main, apart)
    scaling, given_up = _nearest(rope, own, request.length)
    flags: dict[str, float | str] = {"-m": where} if where.endswith(".gguf") else {}
    if scaling != own.scaling:
        flags |= _flags(scaling, settings)
    if rope.base != own.base:
        flags["--rope-freq-base"] = rope.base
    length = request.length or target_length(scaling)
    if length is not None:
        flags["-c"] = length
    arguments = typed(flags)
    with quiet():
        back = read(load(arguments, request.config), False)
    judge(request, _WHOSE, wanted, back, {main: given_up}, float32=True)
    if length is not None and (back.advertised_length or length) < length:
        warn(
            f"llama-server serves {back.advertised_length} of {length} tokens with these flags: only the file can raise its length "
            "there (context_length; format gguf)"
        )
    return arguments


def _nearest(rope: Rope, own: Rope, length: int | None) -> tuple[Scaling | None, str]:
    if rope.scaling is None or rope.scaling == own.scaling:
        return rope.scaling, ""
    scaling, given_up = nearest(rope.scaling, length, Vocabulary(FOLLOWS_LENGTH, truncate=True))
    if not isinstance(scaling, (PositionInterpolation, NTKByParts)):
        raise ConfigError(f"{_WHOSE} has linear and yarn; {type(scaling).__name__} cannot be written")
    return scaling, given_up


def _flags(scaling: Scaling | None, settings: Settings) -> dict[str, float | str]:
    if scaling is None:
        return {"--rope-scaling": "none"}
    if isinstance(scaling, PositionInterpolation):
        return {"--rope-scaling": "linear", "--rope-scale": scaling.factor}
    assert isinstance(scaling, NTKByParts)
    flags: dict[str, float | str] = {
        "--rope-scaling": "yarn",
        "--rope-scale": scaling.factor,
        "--yarn-orig-ctx": scaling.original_length,
    }
    if (scaling.beta_fast, scaling.beta_slow) != settings.betas:
        flags |= {"--yarn-beta-fast": scaling.beta_fast, "--yarn-beta-slow": scaling.beta_slow}
    return flags
