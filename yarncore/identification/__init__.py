"""What a table, a function or a model rotates by: identified by fitting the known families, and compared with a Rope."""

from yarncore.identification.identified import Identification
from yarncore.identification.identify import identify
from yarncore.identification.readings import Reading
from yarncore.identification.verify import Verification, verify

__all__ = ["Identification", "Reading", "Verification", "identify", "verify"]
