"""What a table, a function or a model rotates by: identified by fitting the known families, and compared with a Rope."""

from yarncore.identification.identified import Identification
from yarncore.identification.readings import Reading
from yarncore.identification.recognition import identify
from yarncore.identification.verification import Verification, verify

__all__ = ["Identification", "Reading", "Verification", "identify", "verify"]
