"""yarncore: rotary embeddings past their trained length."""

import typing

import yarncore.scaling
from yarncore._version import __version__ as __version__
from yarncore.backends.choice import backend_for
from yarncore.configs.dialects import FORMATS, from_config, ropes_from_config, to_config
from yarncore.errors import BackendUnavailable, ConfigError, ConfigWarning
from yarncore.key_cache import packed_positions, rerotate_, shift_
from yarncore.paged_cache import append_, move_
from yarncore.query_scale import LogN, LogSteps, QueryScale
from yarncore.rope.rope import Rope
from yarncore.rotation.given_tables import rotate_by, rotate_by_
from yarncore.rotation.rotation import Rotation
from yarncore.scaling import *  # noqa: F403  # each method is named once, there
from yarncore.threads import get_num_threads, set_num_threads

if typing.TYPE_CHECKING:
    import yarncore.engines
    from yarncore.identification import identify, verify
    from yarncore.reports.comparison import compare
    from yarncore.reports.planning import plan
    from yarncore.reports.plotting import plot

# Imported when they are asked for: what rotates needs none of them.
_LATER = {
    "compare": "yarncore.reports.comparison",
    "engines": "yarncore.engines",
    "identify": "yarncore.identification",
    "plan": "yarncore.reports.planning",
    "plot": "yarncore.reports.plotting",
    "verify": "yarncore.identification",
}

__all__ = [
    "FORMATS",
    "BackendUnavailable",
    "ConfigError",
    "ConfigWarning",
    "LogN",
    "LogSteps",
    "QueryScale",
    "Rope",
    "Rotation",
    "append_",
    "backend_for",
    "compare",
    "from_config",
    "get_num_threads",
    "identify",
    "move_",
    "packed_positions",
    "plan",
    "plot",
    "rerotate_",
    "ropes_from_config",
    "rotate_by",
    "rotate_by_",
    "set_num_threads",
    "shift_",
    "to_config",
    "verify",
]
__all__ += yarncore.scaling.__all__


def __getattr__(name: str) -> typing.Any:
    if name in _LATER:
        import importlib

        module = importlib.import_module(_LATER[name])
        return module if _LATER[name] == f"yarncore.{name}" else getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
