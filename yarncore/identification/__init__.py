"""What a table, a function or a model rotates by: identified by fitting the known families, and compared with a Rope."""

from yarncore.identification.identified import Identification
from yarncore.identification.identify import identify
from yarncore.identification.readings import Reading

__all__ = ["Identification", "Reading", "identify"]
