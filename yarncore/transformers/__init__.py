"""yarncore under a loaded model of transformers: extend it, restore it."""

from yarncore.transformers.dynamic.given import adopt, release
from yarncore.transformers.dynamic.record import CacheUnusable
from yarncore.transformers.extend import extend, restore
from yarncore.transformers.report import Report
from yarncore.transformers.version import warn_of_other_versions

__all__ = ["CacheUnusable", "Report", "adopt", "extend", "release", "restore"]

warn_of_other_versions()
