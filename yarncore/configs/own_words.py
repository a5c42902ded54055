"""What the small JSON dialects share: a file in their own words is changed, and read back."""

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from yarncore.configs.keys import Keys
from yarncore.configs.model_ropes import FULL, ModelRopes
from yarncore.configs.nearest import Vocabulary, nearest
from yarncore.configs.source import Source
from yarncore.configs.target_length import target_length
from yarncore.configs.writing import WriteRequest, judge, quiet
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope
from yarncore.scaling import NTKByParts, YaRN
from yarncore.scaling.scaling import Scaling

_CONCERNS_ROTATION = re.compile(r"rope|rotary|yarn|theta|mscale|beta_|ntk")


def to_be_changed(request: WriteRequest, recognises: Callable[[Mapping[str, Any]], bool], whose: str) -> dict[str, Any]:
    """The model's own file in these words, copied; empty where none is given.

    Raises
    ------
    ConfigError
        Where it is in other words.
    """
    if request.config is None:
        return {}
    if not recognises(request.config.mapping):
        raise ConfigError(f"{request.where}: not a configuration of {whose}, whose own file is to be changed")
    return copy.deepcopy(dict(request.config.mapping))


def nearest_yarn(rope: Rope, length: int | None, vocabulary: Vocabulary, whose: str) -> tuple[Scaling | None, str]:
    """None or a ramp, and what was given up.

    Raises
    ------
    ConfigError
        For any other method: these dialects have none.
    """
    if rope.scaling is None:
        return None, ""
    scaling, given_up = nearest(rope.scaling, length, vocabulary)
    if not isinstance(scaling, NTKByParts):
        raise ConfigError(f"{whose} has no method but YaRN; {type(rope.scaling).__name__} cannot be written")
    return scaling, given_up


def served(request: WriteRequest, scaling: Scaling | None) -> int | None:
    """Tokens that are to be served, where the caller or the scaling tells."""
    return request.length or target_length(scaling)


def read_back(
    request: WriteRequest,
    read: Callable[[Source, bool], ModelRopes],
    result: Mapping[str, Any],
    rope: Rope,
    given_up: str,
    whose: str,
) -> None:
    """Raise or warn where what was written is something else."""
    with quiet():
        back = read(Source(result, request.where), False)
    judge(request, whose, {FULL: rope}, back, {FULL: given_up})


def report_unread(keys: Keys, strict: bool, irrelevant: Iterable[str] = ()) -> None:
    """Report what looks as if it concerned the rotation, and nobody read."""
    looks_so = {
        key: value
        for key, value in keys.mapping.items()
        if _CONCERNS_ROTATION.search(str(key)) and key not in keys.seen
    }
    Keys(looks_so, keys.where, keys.path).report_unread(strict, irrelevant)


def made(where: str, *arguments: Any) -> Rope:
    """A Rope of checked values; what does not fit together is the file's fault."""
    try:
        return Rope(*arguments)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def yarn_of(where: str, *arguments: Any, **options: Any) -> YaRN:
    """A YaRN of checked values; what does not fit together is the file's fault."""
    try:
        return YaRN(*arguments, **options)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None
