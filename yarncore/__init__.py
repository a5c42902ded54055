"""yarncore: rotary embeddings past their trained length."""

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
