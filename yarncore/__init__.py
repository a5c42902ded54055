"""yarncore: rotary embeddings past their trained length."""

import importlib
import typing

import yarncore.scaling
from yarncore._version import __version__ as __version__
from yarncore.backends.choice import backend_for
from yarncore.configs.dialects import FORMATS, from_config, ropes_from_config, to_config
from yarncore.errors import BackendUnavailable, ConfigError, ConfigWarning
from yarncore.key_cache import packed_positions, rerotate_, shift_
from yarncore.paged_cache import append_, move_
from yarncore.rope.rope import Rope
from yarncore.rotation.given_tables import rotate_by, rotate_by_
from yarncore.rotation.rotation import Rotation
from yarncore.scaling import *  # noqa: F403  # each method is named once, there
from yarncore.threads import get_num_threads, set_num_threads

__all__ = [
    "FORMATS",
    "BackendUnavailable",
    "ConfigError",
    "ConfigWarning",
    "Rope",
    "Rotation",
    "append_",
    "backend_for",
    "from_config",
    "get_num_threads",
    "move_",
    "packed_positions",
    "rerotate_",
    "ropes_from_config",
    "rotate_by",
    "rotate_by_",
    "set_num_threads",
    "shift_",
    "to_config",
]
__all__ += yarncore.scaling.__all__

# Loaded when they are first asked for: the time of `import yarncore` is everybody's.
_LAZY_ROOMS = {"engines": "yarncore.engines"}
_LAZY_NAMES = {"identify": "yarncore.identification", "verify": "yarncore.identification"}
__all__ += _LAZY_NAMES


def __getattr__(name: str) -> typing.Any:
    if name in _LAZY_ROOMS:
        return importlib.import_module(_LAZY_ROOMS[name])
    if name in _LAZY_NAMES:
        return getattr(importlib.import_module(_LAZY_NAMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
